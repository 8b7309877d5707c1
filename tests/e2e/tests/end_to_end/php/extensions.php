<?php
// One line for each thing that works; what does not says why.
header('Content-Type: text/plain; charset=utf-8');

function check(string $what, bool $holds): void
{
    echo $what, ': ', $holds ? 'works' : 'FAILS', "\n";
}

$ask = curl_init('https://localhost:' . getenv('HTTPS_PORT') . '/');
curl_setopt($ask, CURLOPT_RETURNTRANSFER, true);
check('curl', curl_exec($ask) === 'over TLS');
echo curl_error($ask);
check('curl refuses whom it does not know', curl_exec_without_authorities() === CURLE_SSL_CACERT);
check('a stream', file_get_contents('https://localhost:' . getenv('HTTPS_PORT') . '/') === 'over TLS');

function curl_exec_without_authorities(): int
{
    $ask = curl_init('https://localhost:' . getenv('HTTPS_PORT') . '/');
    curl_setopt_array($ask, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CAPATH => '/nowhere', CURLOPT_CAINFO_BLOB => file_get_contents('/www/other.crt')]);
    curl_exec($ask);
    return curl_errno($ask);
}

$image = imagecreatetruecolor(20, 10);
imagefill($image, 0, 0, imagecolorallocate($image, 255, 0, 0));
foreach (['png', 'jpeg', 'webp', 'gif', 'avif'] as $kind) {
    ob_start();
    ("image$kind")($image);
    $bytes = ob_get_clean();
    $read = imagecreatefromstring($bytes);
    check("gd $kind", $read !== false && imagesx($read) === 20);
}
ob_start();
imagepng($image);
$png = ob_get_clean();
check('fileinfo', (new finfo(FILEINFO_MIME_TYPE))->buffer($png) === 'image/png');

$day = new IntlDateFormatter('de_DE', IntlDateFormatter::FULL, IntlDateFormatter::NONE, 'Europe/Berlin');
check('intl dates', $day->format(new DateTime('2024-03-01 12:00 UTC')) === 'Freitag, 1. März 2024');
check('intl order', (new Collator('sv_SE'))->compare('ö', 'z') === 1 && (new Collator('de_DE'))->compare('ö', 'z') === -1);

$style = new DOMDocument();
$style->loadXML('<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform"><x:output method="text"/>'
    . '<x:template match="/"><x:value-of select="/a/@b"/></x:template></x:stylesheet>');
$text = new DOMDocument();
$text->loadXML('<a b="c"/>');
$transform = new XSLTProcessor();
$transform->importStylesheet($style);
check('xsl', $transform->transformToXml($text) === 'c');
check('redis and what it depends on', class_exists('Redis') && igbinary_unserialize(igbinary_serialize([1, 'x'])) === [1, 'x']);
check('pgsql', function_exists('pg_connect') && in_array('pgsql', PDO::getAvailableDrivers(), true));
check('sqlite', (new PDO('sqlite::memory:'))->query('select 6 * 7')->fetchColumn() == 42);

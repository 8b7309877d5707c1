<?php
// One line for each thing that works; what does not says why.
header('Content-Type: text/plain; charset=utf-8');

function check(string $what, bool $holds): void
{
    echo $what, ': ', $holds ? 'works' : 'FAILS', "\n";
}

foreach (['ctype', 'dom', 'iconv', 'mbstring', 'mysqli', 'mysqlnd', 'openssl', 'PDO', 'pdo_mysql', 'Phar', 'posix',
    'session', 'SimpleXML', 'sodium', 'tokenizer', 'xml', 'xmlreader', 'xmlwriter', 'Zend OPcache', 'zip', 'zlib'] as $name) {
    check("extension $name", extension_loaded($name));
}
check('settings for production', php_ini_loaded_file() === '/etc/php/8.4/fpm/php.ini'
    && ini_get('display_errors') === '' && ini_get('expose_php') === '');
check('opcache', opcache_get_status(false)['opcache_enabled'] ?? false);

check('mbstring', mb_strtoupper('straße äöü') === 'STRASSE ÄÖÜ' && mb_ereg('^ä', 'äb'));
check('iconv', iconv('UTF-8', 'ISO-8859-1//TRANSLIT', "é€") === "\xe9EUR");
check('xml', (string) simplexml_load_string('<a><b>x</b></a>')->b === 'x'
    && (new DOMDocument())->loadXML('<a/>'));

$zip = new ZipArchive();
$file = tempnam('/tmp', 'zip');
$zip->open($file, ZipArchive::OVERWRITE);
$zip->addFromString('one', str_repeat('text ', 1000));
$zip->close();
$zip->open($file);
check('zip', $zip->getFromName('one') === str_repeat('text ', 1000) && filesize($file) < 1000);

$noon = new DateTime('2024-07-01 12:00', new DateTimeZone('Europe/Berlin'));
check('time zones', $noon->format('c T') === '2024-07-01T12:00:00+02:00 CEST'
    && count(timezone_identifiers_list()) > 400);
check('the environment', getenv('GREETING') === 'hello');
check('who runs it', posix_getuid() === 65532 && posix_getpwuid(65532)['name'] === 'nonroot');

check('a read-only root', @file_put_contents('/var/www/x', 'x') === false);
error_log('a message of the script');

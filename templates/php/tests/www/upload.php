<?php
$file = $_FILES['file'];
echo dirname($file['tmp_name']), ' ', $file['name'], ' ', is_uploaded_file($file['tmp_name']), ' ',
    file_get_contents($file['tmp_name']);

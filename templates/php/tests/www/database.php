<?php
$one = new mysqli('127.0.0.1', 'root', "s3cr'et");
echo 'mysqli: ', $one->query('select 6 * 7')->fetch_column(), "\n";
$two = new PDO('mysql:host=127.0.0.1;charset=utf8mb4', 'root', "s3cr'et");
echo 'pdo: ', $two->query("select upper('käse')")->fetchColumn(), "\n";

"""Uses what Python has in C and what needs more than Python, each in earnest."""

import sys
import threading
import time

# Left out of the image, made for other systems, or at work as soon as they are imported.
ABSENT = set(
    "_android_support _dbm _gdbm _ios_support _msi _overlapped _scproxy _tkinter _winapi _wmi "
    "antigravity idlelib lib2to3 msvcrt nt pydoc_data this tkinter turtle turtledemo winreg winsound".split()
)


def modules():
    import importlib

    for name in sorted(sys.stdlib_module_names - ABSENT):
        try:
            importlib.import_module(name)
        except ImportError as error:
            assert name == "ensurepip", f"{name}: {error}"


def ssl():
    import ssl

    count = len(ssl.create_default_context().get_ca_certs())
    assert count > 100, f"{count} authorities"
    paths = ssl.get_default_verify_paths()
    assert paths.cafile and paths.capath, paths


def sqlite():
    import sqlite3

    rows = sqlite3.connect(":memory:").execute("select upper('é') || sqrt(16)").fetchall()
    assert rows == [("é4.0",)], rows


def ctypes():
    import ctypes

    assert ctypes.CDLL("libc.so.6").strlen(b"four") == 4
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: -number)
    assert compare(4) == -4


def compression():
    import bz2
    import gzip
    import lzma
    import zlib

    for module in (bz2, gzip, lzma, zlib):
        assert module.decompress(module.compress(b"again " * 99)) == b"again " * 99


def terminal():
    import curses
    import readline

    curses.setupterm("xterm-256color", 1)
    assert curses.tigetnum("colors") == 256
    readline.parse_and_bind("tab: complete")


def digests():
    import hashlib
    import uuid

    for name in hashlib.algorithms_guaranteed:
        hashlib.new(name, b"text", usedforsecurity=False)
    assert uuid.uuid1() != uuid.uuid4()


def zones_and_locale():
    import locale
    from datetime import datetime
    from zoneinfo import ZoneInfo, available_timezones

    noon = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Vienna"))
    assert noon.utcoffset().total_seconds() == 7200 and len(available_timezones()) > 300
    assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8"
    assert sys.getfilesystemencoding() == "utf-8" and time.tzname == ("UTC", "UTC")


def names():
    import getpass
    import mimetypes
    import os
    import pwd
    import socket

    assert getpass.getuser() == "nonroot" == pwd.getpwuid(os.getuid()).pw_name
    assert os.path.expanduser("~") == "/home/nonroot"
    assert socket.getservbyname("https") == 443
    assert mimetypes.guess_type("x.avif")[0] == "image/avif"


def processes():
    import multiprocessing
    import subprocess
    import tempfile

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(abs, [-3]) == [3]
    ran = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, check=True)
    assert ran.stdout == b"42\n"
    with tempfile.TemporaryFile() as file:
        file.write(b"kept")


def bytecode():
    import os

    assert os.path.isdir("/tmp/pycache/usr/lib"), "no bytecode was kept"


def main():
    for check in (
        modules, ssl, sqlite, ctypes, compression, terminal, digests, zones_and_locale, names,
        processes, bytecode,
    ):  # fmt: skip
        # Emulated processors need minutes for all modules; `some` leaves that out.
        if check is modules and sys.argv[1:] == ["some"]:
            continue
        check()
        print(f"{check.__name__} works")
    # The interpreter ends such a thread by pthread_exit, for which glibc needs libgcc_s.
    threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(1000)], daemon=True).start()
    time.sleep(0.05)
    print("all works")


if __name__ == "__main__":
    main()

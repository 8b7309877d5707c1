"""Two nights of one archive, a package apart, signed by a key made for that.

The real archive's text cannot be changed under its signature. So its releases and indices are
signed again here: once as they are, and once with a new version of a single package, made of the
old one with one more byte in each of its libraries. All else comes from the mirror on loopback.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
from email.utils import formatdate, mktime_tz, parsedate_tz
from pathlib import Path
from urllib.request import urlopen

from .running import ARCHS, SUITE

PACKAGE = "libzstd1"
NIGHTS = ["night-0", "night-1"]
KEYRING = "/etc/apt/keyrings/night.gpg"


def prepare(folder, base):
    """Makes both nights below `folder`; gives the keyring that verifies them."""
    folder = Path(folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    home = folder / "gnupg"
    home.mkdir(parents=True, mode=0o700)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
    subprocess.run([*gpg, "--quick-generate-key", "bench", "rsa2048", "sign", "never"], check=True)
    ring = folder / "night.gpg"
    subprocess.run([*gpg, "--output", ring, "--export"], check=True)
    changed = {arch: changed_package(folder, base, arch) for arch in ARCHS}
    for number, night in enumerate(NIGHTS):
        for suite in (SUITE, f"{SUITE}-updates"):
            text = fetch(f"{base}/debian/dists/{suite}/InRelease").decode()
            release = signed_text(text)
            place = folder / night / "dists" / suite
            place.mkdir(parents=True)
            if number and suite == SUITE:
                release = another_day(release, place, changed)
            (place / "Release").write_text(release)
            subprocess.run([*gpg, "--digest-algo", "SHA512", "--output", place / "InRelease",
                            "--clearsign", place / "Release"], check=True)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
    return ring


def fetch(url):
    with urlopen(url, timeout=60) as answer:
        return answer.read()


def signed_text(in_release):
    """What an InRelease signs, without the frame of its signature."""
    text = in_release.split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE-----", 1)[0]
    text = re.sub(r"^- ", "", text, flags=re.M)
    return text.replace("Acquire-By-Hash: yes", "Acquire-By-Hash: no")


def changed_package(folder, base, arch):
    """The index of an architecture with a new version of the package, which is put in the pool."""
    index = gzip.decompress(fetch(f"{base}/debian/dists/{SUITE}/main/binary-{arch}/Packages.gz")).decode()
    start = index.index(f"Package: {PACKAGE}\n")
    end = index.index("\n\n", start)
    stanza = index[start:end]
    field = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, flags=re.M))
    work = folder / "work" / arch
    work.mkdir(parents=True)
    (work / "old.deb").write_bytes(fetch(f"{base}/debian/{field['Filename']}"))
    tree = work / "tree"
    subprocess.run(["dpkg-deb", "-R", work / "old.deb", tree], check=True)
    control = tree / "DEBIAN/control"
    version = field["Version"] + "+b1"
    control.write_text(control.read_text().replace(f"Version: {field['Version']}", f"Version: {version}"))
    for library in tree.glob("usr/lib/*/*.so.*"):
        if not library.is_symlink():
            with library.open("ab") as file:
                file.write(b"\0")
    name = f"pool/{PACKAGE}_{version.replace(':', '%3a')}_{arch}.deb"
    deb = folder / NIGHTS[1] / name
    deb.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "-b", tree, deb], check=True,
                   stdout=subprocess.DEVNULL)
    data = deb.read_bytes()
    new = {"Version": version, "Filename": name, "Size": len(data),
           "SHA256": hashlib.sha256(data).hexdigest()}
    for key, value in new.items():
        stanza = re.sub(rf"^{key}: .*$", f"{key}: {value}", stanza, flags=re.M)
    return index[:start] + stanza + index[end:]


def another_day(release, place, changed):
    """The release a day later, with the changed indices."""
    date = re.search(r"^Date: (.*)$", release, flags=re.M)[1]
    later = formatdate(mktime_tz(parsedate_tz(date)) + 86400, usegmt=True)
    release = release.replace(f"Date: {date}", f"Date: {later}")
    for arch, index in changed.items():
        path = f"main/binary-{arch}/Packages"
        for name, data in ((path, index.encode()), (f"{path}.gz", gzip.compress(index.encode(), 6, mtime=0))):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
            line = f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}"
            release = re.sub(rf"^ [0-9a-f]{{64}} +\d+ {re.escape(name)}$", line, release, flags=re.M)
        # One form is enough; the others are those of the day before.
        for end in ("xz", "bz2"):
            release = re.sub(rf"^ [0-9a-f]+ +\d+ {re.escape(path)}\.{end}\n", "", release, flags=re.M)
    return release


def apt_lines(base, night):
    own = f"deb [signed-by={KEYRING}] {base}/{night}"
    return [f"{own} {SUITE} main", f"{own} {SUITE}-updates main",
            f"deb {base}/debian-security {SUITE}-security main"]

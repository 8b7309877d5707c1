"""Instructions of three fixed runs, by callgrind: a regression that a noisy machine cannot hide.

The archive is made by tests/kit/examples/write_archive.rs, read from files and the same each time;
one thread works. Counts depend on the compiler, whose version is on record with them.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

from .running import REPO, clean_environment, remove
from .table import markdown

RECORD = REPO / "tests/bench/instructions.json"
MARGIN = 0.05

TEMPLATE = """group = "measured"
summary = "nginx and documents"
extends = ["minimal"]
version_from = "nginx"
packages = ["nginx", "nginx-common", "documents"]
roots = ["/usr/sbin/nginx"]
include = ["/usr/share/documents/*"]
"""

# Name, what it is, arguments. Each finds what the one before it left.
RUNS = [
    ("index", "verify and compile an index of a thousand packages", ["update"]),
    ("image", "decode, resolve, check, compress", ["-t", "measured"]),
    ("unchanged", "the same again", ["-t", "measured", "--offline"]),
]


def check(dmc, bless):
    """Counts, compares, prints; the exit code."""
    if not shutil.which("valgrind"):
        print("bench: apt install valgrind")
        return 1
    found = {"rustc": rustc(), "counts": count(dmc)}
    if bless:
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    known = json.loads(RECORD.read_text())
    rows, good = [["run", "what it does", "instructions", "on record", "change"]], True
    for name, what, _ in RUNS:
        now, then = found["counts"][name], known["counts"][name]
        change = now / then - 1
        good &= abs(change) <= MARGIN
        rows.append([f"`{name}`", what, f"{now:,}", f"{then:,}", f"{change:+.1%}"])
    print(markdown(rows))
    if good:
        return 0
    if found["rustc"] != known["rustc"]:
        print(f"\nOn record are counts of {known['rustc']}, here is {found['rustc']}.")
    print(f"\nMore than {MARGIN:.0%} apart. Where that is meant: scripts/bench --check --bless")
    return 1


def count(dmc):
    remove("counted")
    place = Path("counted")
    subprocess.run(["cargo", "run", "-q", "--locked", "-p", "dmc-testkit", "--example",
                    "write_archive", "--", place.absolute()], cwd=REPO, check=True)
    (place / "templates/measured").mkdir(parents=True)
    (place / "templates/measured/template.toml").write_text(TEMPLATE)
    keyring = place / "root/usr/share/keyrings/debian-archive-keyring.pgp"
    keyring.parent.mkdir(parents=True)
    (place / "keyring.pgp").rename(keyring)
    mirror = f"file://{(place / 'archive').absolute()}"
    (place / "dmc.conf").write_text(
        f'[vendor.debian.archives]\nmain = "{mirror}"\nsecurity = "{mirror}"\n'
        '[vendor.debian.floors]\n' + "".join(
            f'{suite} = ""\n' for suite in ("trixie", "trixie-updates", "trixie-security")))
    environment = clean_environment() | {"DMC_APT_ROOT": str((place / "root").absolute())}
    common = [str(dmc), "-A", "amd64", "-j", "1", "-q", "--conf", "dmc.conf", "--store", "store",
              "--out", "out"]
    found = {}
    for name, _, args in RUNS:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *common, *args]
        told = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True,
                              check=False)
        total = re.search(r"Collected : (\d+)", told.stderr)
        if told.returncode or not total:
            raise SystemExit(f"bench: {' '.join(command)} failed:\n{told.stderr[-2000:]}")
        found[name] = int(total[1])
    return found


def rustc():
    return subprocess.run(["rustc", "--version"], capture_output=True, text=True, cwd=REPO,
                          check=True).stdout.split()[1]

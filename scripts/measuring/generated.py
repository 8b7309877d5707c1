"""Templates made of servers of the archive, one a package, for what many images cost."""

import gzip
import re
from pathlib import Path

from .night import fetch
from .running import ARCHS, SUITE

SECTIONS = {"net", "httpd", "mail", "database", "comm", "admin", "news"}

TEMPLATE = """group = "generated"
summary = "{package} of Debian"
extends = ["minimal"]
version_from = "{package}"
packages = ["{package}"]
roots = ["{root}"]
entrypoint = ["{root}"]
"""


def servers(base, wanted):
    """Packages with a program in /usr/sbin that libc runs, on all architectures: name and path.

    They are spread evenly over the alphabet, the same for every run on the same archive.
    """
    programs = {}
    for arch in ARCHS:
        names = candidates(base, arch)
        found = {}
        text = gzip.decompress(fetch(f"{base}/debian/dists/{SUITE}/main/Contents-{arch}.gz")).decode()
        for path, owners in re.findall(r"^(usr/sbin/[a-z0-9.+-]+)\s+(\S+)$", text, flags=re.M):
            for owner in owners.split(","):
                name = owner.rpartition("/")[2]
                if name in names:
                    found.setdefault(name, f"/{path}")
        programs[arch] = found
    first, *others = (programs[arch] for arch in ARCHS)
    both = sorted(name for name in first if all(other.get(name) == first[name] for other in others))
    step = max(1, len(both) / wanted)
    chosen = [both[int(at * step)] for at in range(min(wanted, len(both)))]
    return [(name, first[name]) for name in chosen]


def candidates(base, arch):
    """Names of packages of these sections whose programs are compiled ones, as far as Depends says."""
    text = gzip.decompress(fetch(f"{base}/debian/dists/{SUITE}/main/binary-{arch}/Packages.gz")).decode()
    names = set()
    for stanza in text.split("\n\n"):
        field = dict(re.findall(r"^(Package|Section|Depends|Architecture): (.*)$", stanza, flags=re.M))
        depends = field.get("Depends", "")
        compiled = "libc6" in depends and not re.search(r"\b(perl|python3|ruby|php)", depends)
        if field.get("Section") in SECTIONS and field.get("Architecture") == arch and compiled:
            names.add(field["Package"])
    return names


def write(folder, templates):
    """One template each, below `folder`."""
    for package, root in templates:
        place = Path(folder) / package
        place.mkdir(parents=True, exist_ok=True)
        (place / "template.toml").write_text(TEMPLATE.format(package=package, root=root))

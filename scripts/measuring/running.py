"""Programs run to their end and measured; the folders and settings that they run in."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
SUITE = "trixie"
ARCHS = ["amd64", "arm64"]


def measure(command, environment):
    """Runs a program to its end: seconds, seconds of processor, peak resident MiB."""
    program = shutil.which(command[0])
    # What it prints goes to memory: a file that is written anew costs the disk's time, too.
    log = os.memfd_create("log")
    try:
        return measure_into(log, program, command, environment)
    finally:
        os.close(log)


def measure_into(log, program, command, environment):
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    start = time.monotonic()
    pid = os.posix_spawn(program, command, environment, file_actions=actions)
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        os.kill(pid, 15)
        os.waitpid(pid, 0)
        raise
    wall = time.monotonic() - start
    if status != 0:
        said = os.pread(log, 1 << 20, 0).decode(errors="replace")[-2000:]
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{said}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss / 1024}


def aside(work, *args):
    """Does work in a process of its own: peak memory of this one counts as that of each program."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(work, *args).result()


def remove(path):
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except PermissionError:  # A tree of subordinate users, made without root.
        subprocess.run(["mmdebstrap", "--unshare-helper", "rm", "-rf", path], check=True)


def clean_environment():
    """The caller's, without what configures dmc: no user's settings, no proxy for loopback."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("DMC_", "LOG_", "OUT_", "RUST_"))
            and name != "SOURCE_DATE_EPOCH"}
    return kept | {"XDG_CONFIG_HOME": os.path.abspath("config"), "no_proxy": "127.0.0.1"}


def apt_root(name, lines):
    """A folder that stands for `/` where apt is configured by these lines alone."""
    root = Path(name).absolute()
    (root / "etc/apt").mkdir(parents=True, exist_ok=True)
    (root / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in lines))
    (root / "usr/share").mkdir(parents=True, exist_ok=True)
    keyrings = root / "usr/share/keyrings"
    if not keyrings.is_symlink():
        keyrings.symlink_to("/usr/share/keyrings")
    return str(root)


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR") or "target")


def build():
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=REPO, check=True)
    return target() / "release/dmc"


def install(program):
    """A copy in the working folder, as users install programs. A program that a linker has just
    written lies in the kernel's memory in pieces of one page, and each start pays for them.
    """
    shutil.copy(program, "dmc")
    return Path("dmc").absolute()


def commit():
    command = ["git", "-C", str(REPO), "describe", "--always", "--dirty"]
    name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f"commit {name}" if name else "no commit"


def machine():
    """Processors, kernel, memory: what kind of machine, not which one."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines()
              if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    uname = os.uname()
    return (f"{len(os.sched_getaffinity(0))} × {models[0] if models else uname.machine}, "
            f"{memory:.0f} GiB, {uname.sysname} {uname.release.partition('-')[0]}")

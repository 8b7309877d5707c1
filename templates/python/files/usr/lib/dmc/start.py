"""Starts the project in the working folder by what its metadata say of it.

The name is taken from pyproject.toml, setup.cfg or setup.py, in this order, and the project runs as
`python -m NAME`, with `-` and ` ` in the name as `_`. Modules are found in the folder, in its `src`,
and where Python looks anyway. This process becomes the project's: nothing stays in between.
"""

import ast
import configparser
import os
import sys
import tomllib
from importlib.util import find_spec


def from_pyproject(text):
    table = tomllib.loads(text)
    tools = table.get("tool", {})
    places = (table.get("project", {}), tools.get("poetry", {}))
    return next((place["name"] for place in places if "name" in place), None)


def from_setup_cfg(text):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser.get("metadata", "name", fallback=None)


def from_setup_py(text):
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", None))
        for word in node.keywords if called == "setup" else ():
            if word.arg == "name" and isinstance(word.value, ast.Constant):
                return word.value.value
    return None


SOURCES = {
    "pyproject.toml": from_pyproject,
    "setup.cfg": from_setup_cfg,
    "setup.py": from_setup_py,
}


def stop(message):
    sys.exit(f"start: {message}")


def named_by(folder):
    """The file that names the project, and the name; (None, None) where there is no such file."""
    seen = []
    for file, read in SOURCES.items():
        path = os.path.join(folder, file)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as text:
                name = read(text.read())
        except (OSError, ValueError, SyntaxError, configparser.Error, AttributeError) as error:
            stop(f"{path} cannot be read: {error}")
        if isinstance(name, str) and name.strip():
            return file, name.strip()
        seen.append(file)
    if seen:
        stop(f"no name of the project is in {folder}: not in {', '.join(seen)}")
    return None, None


def runnable(module):
    """Whether `python -m` finds something to run."""
    try:
        spec = find_spec(module)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{module}.__main__")
    except (ImportError, ValueError):
        return False
    return spec is not None


def main():
    folder = os.getcwd()
    file, name = named_by(folder)
    if name is None and sys.stdin is not None and sys.stdin.isatty():
        os.execv(sys.executable, [sys.executable])
    if name is None:
        stop(
            f"there is no pyproject.toml, setup.cfg or setup.py in {folder}; "
            "put a project there, or give arguments as for python: FILE, -m MODULE or -c CODE"
        )
    source = os.path.join(folder, "src")
    added = [source] if os.path.isdir(source) else []
    sys.path[:1] = [folder, *added]
    plain = name.replace("-", "_").replace(" ", "_")
    module = next((word for word in (plain, plain.lower()) if runnable(word)), None)
    if module is None:
        stop(f"{file} names `{name}`, but `python -m {plain}` finds nothing to run in {folder}")
    if added:
        before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
        os.environ["PYTHONPATH"] = os.pathsep.join(added + before)
    os.execv(sys.executable, [sys.executable, "-m", module])


if __name__ == "__main__":
    main()

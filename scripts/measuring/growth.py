"""Many templates: all that dmc brings, and many made of servers of the archive."""

import json
import subprocess
from pathlib import Path

from . import charts, generated, stages
from .running import ARCHS, SUITE, aside, measure, remove
from .table import markdown, median, seconds, spread

STATES = [
    ("cold", ["store", "out"]),
    ("warm", ["store/v1/records", "out"]),
    ("unchanged", []),
]
COUNTS = [1, 10, 25, 50, 100, 200]


def measure_all(dmc, base, flags, environment, runs):
    groups = [dmc, "-g", "core,base,app", "-D", SUITE, "-A", ",".join(ARCHS), *flags]
    found = {"shipped": shipped(groups, environment, runs), "generated": [], "failed": []}
    found["images"] = images("growth/out")
    templates = aside(generated.servers, base, COUNTS[-1])
    # Some programs need what no rule knows of; what is built without them is what is counted.
    found["failed"] = failing(dmc, flags, environment, templates)
    good = [one for one in templates if one[0] not in found["failed"]]
    for count in [*[count for count in COUNTS if count < len(good)], len(good)]:
        found["generated"].append(some(dmc, flags, environment, good[:count]))
    return found


def shipped(groups, environment, runs):
    """Every state's runs, and the stages of one cold run."""
    found = {name: [] for name, _ in STATES}
    folders = ["--store", "growth/store", "--out", "growth/out"]
    for number in range(runs + 1):
        for name, removed in STATES:
            for part in removed:
                remove(f"growth/{part}")
            value = measure([*groups, *folders], environment)
            if number:
                found[name].append(value)
    found["stages"] = {}
    for name, removed in STATES:
        for part in removed:
            remove(f"growth/{part}")
        measure([*groups, *folders, "--trace", f"{name}.json"], environment)
        found["stages"][name] = stages.shares(Path(f"{name}.json"))
    return found


def images(out):
    """Number and compressed bytes of the images of a layout."""
    layers = {}
    index = json.loads((Path(out) / "index.json").read_text())
    for entry in index["manifests"]:
        document = blob(out, entry)
        for manifest in document.get("manifests", []):
            layers[manifest["digest"]] = sum(layer["size"] for layer in blob(out, manifest)["layers"])
    return {"count": len(layers), "bytes": sum(layers.values())}


def blob(out, descriptor):
    return json.loads((Path(out) / "blobs/sha256" / descriptor["digest"].partition(":")[2]).read_text())


def command(dmc, flags, names, *more):
    return [dmc, "-D", SUITE, "-A", ",".join(ARCHS), *flags, "--templates-dir", "generated",
            "-t", ",".join(names), "--store", "many/store", "--out", "many/out", *more]


def failing(dmc, flags, environment, templates):
    """Names of templates that cannot be built, and why, in a word."""
    remove("generated")
    remove("many")
    generated.write("generated", templates)
    names = [name for name, _ in templates]
    told = subprocess.run(command(dmc, flags, names, "--report", "report.json", "-q"),
                          env=environment, capture_output=True, text=True, check=False)
    failed = {}
    for line in Path("report.json").read_text().splitlines():
        value = json.loads(line)
        if "error" in value and value.get("template"):
            failed.setdefault(value["template"], value["error"])
    if told.returncode not in (0, 1):
        raise SystemExit(f"bench: {told.stderr[-2000:]}")
    return failed


def some(dmc, flags, environment, templates):
    """So many templates from an empty store, then unchanged."""
    names = [name for name, _ in templates]
    remove("many")
    cold = measure(command(dmc, flags, names), environment)
    unchanged = measure(command(dmc, flags, names), environment)
    debs = list(Path("many/store/v1/debs").iterdir())
    return {"count": len(names), "cold": cold, "unchanged": unchanged, **{
        "images": images("many/out"), "debs": len(debs),
        "deb_bytes": sum(deb.stat().st_size for deb in debs)}}


def report(found, folder):
    rows = [["all templates", "median (min–max)", "cpu", "peak RSS, MiB"]]
    for name, _ in STATES:
        runs = found["shipped"][name]
        rows.append([name, spread([run["wall"] for run in runs]),
                     seconds(median([run["cpu"] for run in runs])),
                     f"{max(run['rss'] for run in runs):.0f}"])
    shares = [["stage", *(f"{name}: of the time" for name, _ in STATES), "cold: thread time"]]
    for title in found["shipped"]["stages"]["cold"]:
        values = [found["shipped"]["stages"][name][title] for name, _ in STATES]
        shares.append([title, *(f"{value['share']:.0%}" for value in values), seconds(values[0]["busy"])])
    many = [["generated templates", "images", "cold", "an image", "cpu", "peak RSS, MiB",
             ".debs", "bytes of .debs", "bytes an image", "unchanged", "peak RSS, MiB"]]
    for row in found["generated"]:
        count, bytes_ = row["images"]["count"], row["images"]["bytes"]
        many.append([str(row["count"]), str(count), seconds(row["cold"]["wall"]),
                     seconds(row["cold"]["wall"] / count), seconds(row["cold"]["cpu"]),
                     f"{row['cold']['rss']:.0f}", str(row["debs"]), f"{row['deb_bytes']:,}",
                     f"{bytes_ // count:,}", seconds(row["unchanged"]["wall"]),
                     f"{row['unchanged']['rss']:.0f}"])
    images_ = found["images"]
    parts = [f"{images_['count']} images of all templates, {images_['bytes']:,} bytes of layers.", "",
             markdown(rows), "", markdown(shares), "", markdown(many)]
    if found["failed"]:
        parts += ["", f"{len(found['failed'])} of the generated templates were left out, as they "
                  "cannot be built by their package alone."]
    if folder:
        parts += ["", *pictures(found["generated"], folder)]
    return "\n".join(parts)


def pictures(rows, folder):
    drawn = []
    for name, title, up, series in [
        ("growth-time", "Time from an empty store, and unchanged", "s", {
            "cold": [(row["images"]["count"], row["cold"]["wall"]) for row in rows],
            "unchanged": [(row["images"]["count"], row["unchanged"]["wall"]) for row in rows]}),
        ("growth-memory", "Peak resident memory", "MiB", {
            "cold": [(row["images"]["count"], row["cold"]["rss"]) for row in rows],
            "unchanged": [(row["images"]["count"], row["unchanged"]["rss"]) for row in rows]}),
        ("growth-packages", "Time from an empty store, by packages fetched", "s", {
            "cold": [(row["debs"], row["cold"]["wall"]) for row in rows]}),
    ]:
        across = "packages" if name == "growth-packages" else "images"
        (folder / f"{name}.svg").write_text(charts.lines(title, across, up, series))
        drawn.append(f"![{title}]({name}.svg)")
    return drawn

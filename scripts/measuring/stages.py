"""Where a run's time went, of what `dmc --trace` wrote down."""

import json

# What of a trace's names belongs to which stage; the first that fits.
STAGES = [
    ("downloads", lambda name: name.startswith("fetch ")),
    ("judging signatures", lambda name: name == "work checking a signature"),
    ("compiling indices", lambda name: name == "work compiling an index"),
    ("decoding packages", lambda name: name == "work decoding a package"),
    ("reading facts", lambda name: name == "work reading facts"),
    ("finding closures", lambda name: name == "closure"),
    ("trees and their check", lambda name: name in ("assemble", "verify")),
    ("layers", lambda name: name.startswith("layer ")),
]


def shares(path):
    """By stage: the time during which it was going on anywhere, and thread time spent on it.

    Downloads wait for the network, so that theirs is the former; stages that wait for others
    (closures for packages) are told by the latter.
    """
    events = json.loads(path.read_text())["traceEvents"]
    whole = max(event["ts"] + event["dur"] for event in events)
    found = {}
    for title, fits in STAGES:
        those = [event for event in events if fits(event["name"])]
        found[title] = {"open": union(those) / 1e6,
                        "busy": sum(event["args"]["busy"] for event in those) / 1e6,
                        "share": union(those) / whole}
    return found


def union(events):
    """How long at least one of these events was going on, in microseconds."""
    total, until = 0, 0
    for start, end in sorted((event["ts"], event["ts"] + event["dur"]) for event in events):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total

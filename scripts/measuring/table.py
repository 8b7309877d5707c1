"""Figures as text."""


def median(values):
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def seconds(*values):
    """Times in the unit of the first: `1.07 (1.02–1.31) s`."""
    unit, factor, digits = ("s", 1, 2) if values[0] >= 1 else ("ms", 1000, 0)
    digits += values[0] < 0.1
    text = [f"{value * factor:.{digits}f}" for value in values]
    around = f" ({'–'.join(text[1:])})" if len(text) > 1 else ""
    return f"{text[0]}{around} {unit}"


def spread(values):
    return seconds(median(values), min(values), max(values))


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def renew(page, text, what="figures"):
    """Replaces what is between a page's markers."""
    before, start, rest = page.read_text().partition(f"<!-- {what} -->\n")
    _, end, after = rest.partition(f"<!-- end of {what} -->")
    if not start or not end:
        raise SystemExit(f"bench: {page} has no markers for {what}")
    page.write_text(f"{before}{start}{text}\n{end}{after}")

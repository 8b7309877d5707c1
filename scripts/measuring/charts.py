"""Figures as pictures: lines over a number of things, as plain SVG."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 70, 20, 40, 50
COLOURS = ["#1b6ca8", "#c8553d", "#3a7d44", "#7a4fa3"]


def lines(title, across, up, series):
    """`series`: by name, points (x, y). Both axes begin at 0 and end at a round number."""
    points = [point for values in series.values() for point in values]
    right, top = (rounded(max(point[at] for point in points)) for at in (0, 1))
    x = lambda value: LEFT + value / right * (WIDTH - LEFT - RIGHT)
    y = lambda value: HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(WIDTH / 2, 20, title, "middle", 14),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle"),
           text(14, 20, up, "start")]
    for step in range(5):
        value = top * step / 4
        out += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
                'stroke="#ddd"/>', text(LEFT - 8, y(value) + 4, number(value), "end")]
        value = right * step / 4
        out.append(text(x(value), HEIGHT - BOTTOM + 18, number(value), "middle"))
    for at, (name, values) in enumerate(series.items()):
        colour = COLOURS[at % len(COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in values)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in values]
        out.append(text(LEFT + 10, TOP + 14 + 16 * at, name, "start", 12, colour))
    return "\n".join([*out, "</svg>", ""])


def text(x, y, what, anchor, size=12, colour="#333"):
    what = what.replace("&", "&amp;").replace("<", "&lt;")
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}">{what}</text>')


def rounded(value):
    """The least of 1, 2, 4 and 8 times a power of ten that is not below."""
    power = 1
    while power < value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"

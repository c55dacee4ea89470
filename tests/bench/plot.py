# SPDX-License-Identifier: Apache-2.0
"""Lines on two logarithmic axes, side by side, as SVG."""
import math

WIDTH, HEIGHT, LEFT, TOP, GAP = 340, 260, 60, 30, 110
COLOURS = {"pull": "#b35900", "deploy": "#1f6fb2", "gc": "#2a8a4a", "status": "#8a3fa0"}


def text(x, y, words, anchor="middle", more=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (x, y, anchor, more, words)


def line(x1, y1, x2, y2, style):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>' % (x1, y1, x2, y2, style)


def seconds(value):
    return "%g s" % value if value >= 1 else "%g ms" % (value * 1000)


def decades(values):
    """The powers of ten around them."""
    return range(math.floor(math.log10(min(values))), max(math.ceil(math.log10(max(values))), math.floor(math.log10(min(values))) + 1) + 1)


def panel(left, what, results):
    """`results`: {count: {verb: {"wall": seconds}}}."""
    verbs = list(next(iter(results.values())))
    across, up = decades(results), decades([taken[verb]["wall"] for taken in results.values() for verb in verbs])

    def x(count):
        return left + WIDTH * (math.log10(count) - across[0]) / (across[-1] - across[0])

    def y(wall):
        return TOP + HEIGHT * (1 - (math.log10(wall) - up[0]) / (up[-1] - up[0]))
    out = []
    for power in across:
        out += [line(x(10**power), TOP, x(10**power), TOP + HEIGHT, 'class="grid"'), text(x(10**power), TOP + HEIGHT + 18, "{:,}".format(10**power))]
    for power in up:
        out += [line(left, y(10**power), left + WIDTH, y(10**power), 'class="grid"'), text(left - 6, y(10**power) + 4, seconds(10**power), "end")]
    out.append(text(left + WIDTH / 2, TOP + HEIGHT + 38, what))
    # What is linear runs beside this one.
    steps = min(len(across), len(up)) - 1
    out.append(line(x(10**across[0]), y(10**up[0]), x(10**(across[0] + steps)), y(10**(up[0] + steps)), 'class="linear"'))
    ends = []
    for verb in verbs:
        points = [(x(count), y(taken[verb]["wall"])) for count, taken in results.items()]
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (" ".join("%.1f,%.1f" % point for point in points), COLOURS[verb]))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*point, COLOURS[verb]) for point in points]
        ends.append((points[-1][1] + 4, verb))
    above = 0.0
    for at, verb in sorted(ends):  # one below the other where lines end close together
        above = max(at, above + 14)
        out.append(text(left + WIDTH + 8, above, verb, "start", ' style="fill:%s"' % COLOURS[verb]))
    return out


def svg(panels):
    width = LEFT + len(panels) * (WIDTH + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (width, TOP + HEIGHT + 50),
           "<style>text{fill:#333}.grid{stroke:#ddd}.linear{stroke:#999;stroke-dasharray:5 4}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>', text(LEFT, 18, "wall time; dashed: linear", "start")]
    for number, (what, results) in enumerate(panels):
        out += panel(LEFT + number * (WIDTH + GAP), what, results)
    return "\n".join([*out, "</svg>", ""])

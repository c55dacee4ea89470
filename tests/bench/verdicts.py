# SPDX-License-Identifier: Apache-2.0
"""How what was measured stands to a row's goal, in one line."""

WALL, CPU, MEMORY = range(3)


def ratios(taken, column):
    """Each peer's median to ours."""
    ours, *theirs = (taken.median(label)[column] for label in taken.samples)
    return [value / max(ours, 0.0005) for value in theirs]


def span(values):
    low, high = "%.1f" % min(values), "%.1f" % max(values)
    return "%s ×" % low if low == high else "%s to %s ×" % (low, high)


def ours(taken):
    return next(iter(taken.samples))


def peers(taken, _):
    return "wall %s, CPU %s" % (span(ratios(taken, WALL)), span(ratios(taken, CPU)))


def with_memory(taken, bench):
    if len(taken.samples) == 1:
        return "no mkcomposefs here"
    return "%s; memory %.2f of its" % (peers(taken, bench), 1 / min(ratios(taken, MEMORY)))


def to_first_pull(taken, bench):
    text = "peers: " + peers(taken, bench)
    if "pull" not in bench.taken:
        return text + "; the first pull was not measured"
    label = ours(taken)
    before = bench.taken["pull"].median(label)
    now = taken.median(label)
    return "wall %.1f ×, CPU %.1f × less than the first; %s" % (before[WALL] / now[WALL], before[CPU] / now[CPU], text)


def merge(taken, _):
    label = ours(taken)
    opened = taken.opened[label]
    return "%.0f ms; opened: %d files of the image, %d layer indexes" % (taken.median(label)[WALL] * 1000, opened.get("file", 0), opened.get("index", 0))


def requests(taken, _):
    label = ours(taken)
    return "%d request%s; wall %s" % (taken.requests[label], "" if taken.requests[label] == 1 else "s", span(ratios(taken, WALL)))


def floor(taken, _):
    return "ours is wall %.2f ×, CPU %.2f × the floor" % tuple(1 / ratios(taken, column)[0] for column in (WALL, CPU))


def deploy(taken, bench):
    theirs = {label: taken.median(label)[WALL] for label in taken.samples}
    mine = theirs[ours(taken)]
    return "%.2f s; %s" % (mine, ", ".join("%s %.1f ×" % (label, wall / mine) for label, wall in theirs.items() if not label.startswith("hostapp")))


def status(taken, _):
    label = ours(taken)
    return "%.0f ms, %d system calls" % (taken.median(label)[WALL] * 1000, taken.calls[label])


def memory(_, bench):
    """Of every run of ours so far."""
    peaks = {(label, name): max(sample[MEMORY] for sample in samples) for name, taken in bench.taken.items()
             for label, samples in taken.samples.items() if label.startswith("hostapp ")}
    (label, name), peak = max(peaks.items(), key=lambda item: item[1])
    return "%.0f MiB at most (%s, row %s)" % (peak, label, name)

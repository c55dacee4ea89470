# SPDX-License-Identifier: Apache-2.0
"""What the suite has found, as a section of docs/durability.md."""
import re

BEGIN, END = "<!-- tests/fault/run writes from here -->", "<!-- to here -->"
# What makes an operation done, for those who read only this table.
COMMIT_POINTS = {
    "init": "each step for itself", "pull": "the image's ref", "deploy": "the boot ledger", "upgrade": "the boot ledger",
    "mark-good": "the boot ledger", "mark-failed": "the boot ledger", "rollback": "the boot ledger", "gc": "each removal for itself",
    "pin": "the file `pinned`", "unpin": "the file `pinned`", "remove": "the removal of `deployment.json`", "fsck": "nothing is changed",
    "fsck --repair": "each file for itself", "install": "the first sector, written last", "helper": "the boot ledger, before anything is opened",
}


def operation_of(row):
    """`deploy (first), grub` is a deploy."""
    return re.split(r"[,:] | \(", row["operation"])[0]


def method_of(row):
    return row["method"].split(": ")[0]


def duration(seconds):
    return "%.0f s" % seconds if seconds < 120 else "%.0f min" % (seconds / 60)


def rows_of(known, control):
    return [row for part in known.values() for row in part["rows"] if row["control"] == control]


def operations(known):
    """{(operation, method): [points, violations, seconds]}, in the order in which they came."""
    sums = {}
    for row in rows_of(known, control=False):
        total = sums.setdefault((operation_of(row), method_of(row)), [0, 0, 0.0])
        for index, name in enumerate(("points", "violations", "seconds")):
            total[index] += row[name]
    order = list(dict.fromkeys(operation for operation, _ in sums))
    return {key: sums[key] for key in sorted(sums, key=lambda key: (order.index(key[0]), key[1]))}


def text(level, known, parts):
    """Lines of Markdown. `parts`: how many the level has."""
    sums, lines = operations(known), []
    points, violations, seconds = (sum(total[index] for total in sums.values()) for index in range(3))
    lines.append("`tests/fault/run %s`, %d of %d parts, commit %s: %s points, **%d violations**, %.1f hours one after the other.\n" % (
        level, len(known), parts, ", ".join(sorted({part["commit"] for part in known.values()})) or "–", format(points, ","), violations, seconds / 3600))
    lines += ["| operation | commit point | method | points tried | violations | time |", "|---|---|---|---:|---:|---:|"]
    for (operation, method), total in sums.items():
        lines.append("| %s | %s | %s | %s | %d | %s |" % (operation, COMMIT_POINTS.get(operation, "–"), method, format(total[0], ","), total[1],
                                                    duration(total[2])))
    lines += ["", "Wrong on purpose, and to be found:", "", "| what is wrong | method | |", "|---|---|---|"]
    controls = {}
    for row in rows_of(known, control=True):
        key = row["operation"], method_of(row)
        controls[key] = controls.get(key, True) and bool(row["violations"])
    lines += ["| %s | %s | %s |" % (*key, "found" if found else "**not found**") for key, found in controls.items()]
    notes = {row["method"]: row["note"] for row in rows_of(known, control=False) if "note" in row}  # the last of each
    return "\n".join(lines + [""] * bool(notes) + list(notes.values()))


def write(path, level, known, parts):
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write("%s%s\n%s\n%s%s" % (before, BEGIN, text(level, known, parts), END, rest.partition(END)[2]))

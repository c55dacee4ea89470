# SPDX-License-Identifier: Apache-2.0
"""How many of a parser's lines its harness reaches with its committed corpus, by clang's source-based coverage."""
import os
import re
import subprocess

from harnesses import CORPUS, PARSERS, ROOT, UNREACHED

BUILD = os.path.join(ROOT, "build", "fuzz-coverage")
LEAST = 95  # per cent


def call(*argv, **more):
    return subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def build(names):
    call("cmake", "--preset", "fuzz-coverage")
    targets = [name + "_fuzz" for name in names]
    call("cmake", "--build", "--preset", "fuzz-coverage", "--parallel", str(os.cpu_count()), "--target", *targets)


def lines_of(text, name):
    """The lines of the function or class `name` of a file, which clang-format ends with a brace at the left edge."""
    lines, found = text.splitlines(), set()
    for first, line in enumerate(lines, 1):
        if not re.match(r"[^\s/].*\b%s( final)?[ (:]" % re.escape(name), line) or line.endswith(";"):
            continue
        for number in range(first, len(lines) + 1):
            found.add(number)
            if re.match(r"\}", lines[number - 1]) or (number == first and line.endswith("}")):
                break
    return found


def counted(source, acts):
    """A file's text without what acts in it: what opens files, or writes."""
    with open(os.path.join(ROOT, source), encoding="utf-8") as file:
        text = file.read()
    left_out = set()
    for name in acts:
        lines = lines_of(text, name)
        if not lines:
            raise SystemExit("%s has no %s; see tests/fuzz/harnesses.py" % (source, name))
        left_out |= lines
    return text, left_out


def source_of(path):
    """Names in coverage data are relative to the source folder (-ffile-prefix-map), and llvm-cov puts the build's folder in front."""
    path, build_folder = os.path.relpath(os.path.join(ROOT, path), ROOT), os.path.relpath(BUILD, ROOT) + os.sep
    return path[len(build_folder):] if path.startswith(build_folder) else path


def reached(name, more):
    """{source: {line: how often}} of one harness over its corpus, and `more` files or folders."""
    binary = os.path.join(BUILD, "tests", "fuzz", name + "_fuzz")
    raw, profile = (os.path.join(BUILD, name + end) for end in (".profraw", ".profdata"))
    call(binary, "-runs=0", os.path.join(CORPUS, name), *more, stderr=subprocess.DEVNULL, env={**os.environ, "LLVM_PROFILE_FILE": raw})
    call("llvm-profdata-14", "merge", "-sparse", raw, "-o", profile)
    found, current = {}, None
    for line in call("llvm-cov-14", "export", "-format=lcov", binary, "-instr-profile=" + profile).splitlines():
        if line.startswith("SF:"):
            current = found.setdefault(source_of(line[3:]), {})
        elif line.startswith("DA:"):
            number, count = line[3:].split(",")[:2]
            current[int(number)] = int(count)
    return found


def measure(names, more=()):
    """Rows: source, harness, lines, reached, the numbers of the lines that are not."""
    rows = []
    for name in names:
        found = reached(name, more)
        for source, harness, acts in PARSERS:
            if harness != name:
                continue
            text, left_out = counted(source, acts)
            known = text.splitlines()
            excused = UNREACHED.get(source, {})
            lines = {n: c for n, c in found.get(source, {}).items() if n not in left_out and known[n - 1].strip() not in excused}
            missing = sorted(n for n, count in lines.items() if count == 0)
            rows.append((source, name, len(lines), len(lines) - len(missing), missing))
    return rows


def missing(name, more):
    """{(source, line)} of what one harness does not reach with `more` folders besides its corpus."""
    return {(source, line) for source, _, _, _, lines in measure([name], more) for line in lines}


def report(names, markdown):
    build(names)
    ok, total, total_reached = True, 0, 0
    form = "| `%s` | `%s` | %s | %s | %s |" if markdown else "%-56s %-18s %6s %8s %7s"
    print(form.replace("`", "") % ("parser", "harness", "lines", "reached", "%"))
    if markdown:
        print("|---|---|---|---|---|")
    for source, name, lines, lines_reached, missing in sorted(measure(names)):
        per_cent = 100 * lines_reached / lines if lines else 0
        enough = lines > 0 and per_cent >= LEAST
        total, total_reached, ok = total + lines, total_reached + lines_reached, ok and enough
        print(form % (source, name, lines, lines_reached, "%.1f" % per_cent))
        if missing and not markdown:
            print("    not reached: " + ", ".join(map(str, missing)))
        if not enough:
            print("    below %d %%" % LEAST)
    print(form.replace("`", "") % ("all", "", total, total_reached, "%.1f" % (100 * total_reached / max(1, total))))
    return ok

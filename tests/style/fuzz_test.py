#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the fuzzing harnesses against their table: each has a corpus, a dictionary and a parser; each parser exists.

usage: fuzz_test.py SOURCE_DIR
"""
import os
import sys

sys.dont_write_bytecode = True
MOST_BYTES = 1 << 20  # of all corpora


def problems(root):
    sys.path.insert(0, os.path.join(root, "tests", "fuzz"))
    from harnesses import CORPUS, DICT, NAMES, PARSERS, UNREACHED
    from line_coverage import counted
    with open(os.path.join(root, "tests", "fuzz", "CMakeLists.txt"), encoding="utf-8") as file:
        built = file.read()
    covering = {harness for _, harness, _ in PARSERS}
    for name in NAMES:
        if "hostapp_fuzzer(%s " % name not in built:
            yield "%s_fuzz.cc is not built" % name
        if not os.path.isdir(os.path.join(CORPUS, name)) or not os.listdir(os.path.join(CORPUS, name)):
            yield "%s has no corpus" % name
        if not os.path.isfile(os.path.join(DICT, name + ".dict")):
            yield "%s has no dictionary" % name
        if name not in covering:
            yield "%s covers no parser of tests/fuzz/harnesses.py" % name
    for source, harness, acts in PARSERS:
        if harness not in NAMES:
            yield "%s: there is no harness %s" % (source, harness)
        if not os.path.isfile(os.path.join(root, source)):
            yield "%s is gone" % source
            continue
        text = counted(source, acts)[0]
        for line in UNREACHED.get(source, {}):
            if line not in map(str.strip, text.splitlines()):
                yield "%s has no line %s" % (source, line)
    for left in sorted(set(os.listdir(CORPUS)) - set(NAMES)):
        yield "corpus/%s is no harness's" % left
    for left in sorted(set(os.listdir(DICT)) - {name + ".dict" for name in NAMES}):
        yield "dict/%s is no harness's" % left
    size = sum(os.path.getsize(os.path.join(folder, file)) for folder, _, files in os.walk(CORPUS) for file in files)
    if size > MOST_BYTES:
        yield "the corpora have %d bytes, more than %d" % (size, MOST_BYTES)


def main():
    found = list(problems(sys.argv[1]))
    print("\n".join(found) or "every harness has a corpus, a dictionary and a parser")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images of random trees: our writer and the reference's give the same digests.

usage: composefs_digests.py COMPOSEFS_IMAGE WORK [TREES [FIRST_SEED]]     (100 trees, from seed 1)
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import composefs_trees  # noqa: E402
import support  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def get_mkcomposefs(work):
    done = subprocess.run([HERE + "/get_mkcomposefs", work], stdout=subprocess.PIPE, check=False, timeout=900)
    if done.returncode == support.SKIP:
        print("SKIPPED: no mkcomposefs to be had")
        sys.exit(support.SKIP)
    done.check_returncode()
    return done.stdout.decode().strip()


def main():
    ours, work = sys.argv[1:3]
    count, first = [int(word) for word in sys.argv[3:5] + ["100", "1"][len(sys.argv) - 3:]]
    reference = get_mkcomposefs(work)
    different = []
    with tempfile.TemporaryDirectory() as folder:
        dump = folder + "/dump"
        for seed in range(first, first + count):
            text = composefs_trees.tree(seed)
            with open(dump, "w", encoding="ascii") as file:
                file.write(text)
            for version in "01":
                theirs = support.run(reference, "--from-file", "--print-digest-only", "--min-version=" + version, "--max-version=" + version, dump)
                if support.run(ours, "v" + version, dump) != theirs:
                    different.append("seed %d, version %s: not the digest of mkcomposefs" % (seed, version))
    if different:
        support.fail("\n".join(different))
    print("%d trees in two versions: the digests of %s" % (count, reference))


main()

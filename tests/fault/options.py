# SPDX-License-Identifier: Apache-2.0
"""The options that the programs of the suite share."""
import argparse
import os

SHARED = {
    "stride": {"type": int, "default": 1, "help": "every n-th call"},
    "seed": {"type": int, "default": 1},
    "jobs": {"type": int, "default": os.cpu_count() or 2},
    "rows": {"help": "a file for results.py"},
    "no-controls": {"action": "store_true"},
    "keep": {"metavar": "DIR", "help": "where the disks of violations are kept"},
    "work": {"help": "where; default: a folder in /dev/shm"},
}


def parser(description, programs, shared=()):
    """`programs`: the options that name one under test, or what it needs. `shared`: of SHARED."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for program in programs:
        made.add_argument("--" + program, required=True, type=os.path.abspath)
    for name in shared:
        made.add_argument("--" + name, **SHARED[name])
    return made

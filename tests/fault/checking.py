# SPDX-License-Identifier: Apache-2.0
"""check_disk as a function: a process of its own for each disk would cost more than to read it."""
import argparse
import json
import os
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.realpath(__file__)), "checker"))
from boot_sets import LOADERS  # noqa: E402
from deployments import Sysroot  # noqa: E402
from fat import FatFolder, open_fat  # noqa: E402
from files import Folder  # noqa: E402
from judge import violations  # noqa: E402


def parse(words, description=None):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sysroot")
    parser.add_argument("--boot", help="the boot file system (default: boot in the sysroot); DISK@@OFFSET: a FAT32")
    parser.add_argument("--loader", choices=sorted(LOADERS))
    parser.add_argument("--loader-view", action="store_true", help="the file system is mounted without its journal")
    parser.add_argument("--before", metavar="FILE")
    parser.add_argument("--record", metavar="FILE")
    return parser.parse_args(words)


def check(*words):
    """["I4: …"] of what is wrong; that it could not be read is, too."""
    try:
        return judge(parse(words))
    except Exception as error:  # pylint: disable=broad-except
        return ["check_disk failed: %r" % error]


def judge(options):
    root, before = Folder(options.sysroot), None
    boot = root.below("boot")
    if options.boot:
        boot = open_fat(options.boot) if "@@" in options.boot else Folder(options.boot)
    if options.record:
        with open(options.record, "w", encoding="ascii") as file:
            json.dump(Sysroot(root, boot).facts(), file)
        return []
    if options.before:
        with open(options.before, encoding="ascii") as file:
            before = json.load(file)
    if options.loader_view:  # a loader replays no journal: of the rest there is nothing to say
        found = list(Sysroot(root, boot).check_loader(options.loader, whole=False))
    else:
        found = violations(root, boot, options.loader, before)
        found += boot.refused() if isinstance(boot, FatFolder) else []
    return ["%s: %s" % violation for violation in found]

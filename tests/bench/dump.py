# SPDX-License-Identifier: Apache-2.0
"""Dumps (composefs-dump(5)) of made-up trees, and the program that our images of them are compared with."""
import hashlib
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
import measure  # noqa: E402

LABEL = " security.selinux=system_u:object_r:usr_t:s0\\x00"


def of_tree(path, names, label):
    """A tree like a Debian's: a tenth folders, a tenth links, a tenth files small enough for the image; kept in `path`.
    `label`: what every line ends with."""
    if os.path.exists(path):
        return path
    roll = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz-_.0123456789"
    lines, folders, used = ["/ 4096 40755 2 0 0 0 1700000000.0 - - -" + label], [""], {"/.", "/.."}
    while len(lines) < names:
        name = "".join(roll.choices(letters, k=roll.randint(4, 24)))
        file = folders[min(int(roll.expovariate(4 / (len(folders) + 4))), len(folders) - 1)] + "/" + name
        if file in used:
            continue
        used.add(file)
        kind, time = roll.random(), 1600000000 + roll.randrange(10**8)
        if kind < 0.09:
            folders.append(file)
            rest = "4096 40755 2 0 0 0 %d.0 - - -" % time
        elif kind < 0.2:
            rest = "%d 120777 1 0 0 0 %d.0 ../%s - -" % (len(name) + 3, time, name)
        elif kind < 0.3:
            size = roll.randint(1, 64)
            rest = "%d 100644 1 0 0 0 %d.0 - %s -" % (size, time, "c" * size)
        else:
            digest = hashlib.sha256(file.encode()).hexdigest()
            rest = "%d 100644 1 0 0 0 %d.0 %s/%s - %s" % (roll.randint(65, 1 << 20), time, digest[:2], digest[2:], digest)
        lines.append("%s %s%s" % (file, rest, label))
    with open(path + ".new", "w", encoding="ascii") as out:
        out.write("\n".join(sorted(lines, key=lambda line: line.split(" ", 1)[0])) + "\n")  # as who walks a tree sees it
    os.rename(path + ".new", path)
    return path


def mkcomposefs(given, folder):
    """mkcomposefs, or nothing where there is none."""
    if given:
        return given
    get = measure.ROOT + "/tests/interop/get_mkcomposefs"
    done = subprocess.run([get, folder + "/mkcomposefs"], stdout=subprocess.PIPE, check=False, timeout=900)
    return done.stdout.decode().strip() if done.returncode == 0 else None

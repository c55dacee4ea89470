# SPDX-License-Identifier: Apache-2.0
"""What GRUB's own code reads from a disk, as a folder: its drivers replay no journal."""
import os
import subprocess

DISK = "(loop0)"


def grub(image, *words):
    return subprocess.run(["grub-fstest", image, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def names(image, folder):
    """What is in a folder; folders end with a slash."""
    return grub(image, "ls", DISK + folder + "/").stdout.split()


def extract(image, folder, target):
    """All that GRUB finds below `folder` of the disk; what it cannot read to the end is left out."""
    os.makedirs(target, exist_ok=True)
    for name in names(image, folder):
        if name in ("./", "../"):
            continue
        if name.endswith("/"):
            extract(image, folder + "/" + name[:-1], os.path.join(target, name[:-1]))
            continue
        copy = os.path.join(target, name)
        if grub(image, "cp", "%s%s/%s" % (DISK, folder, name), copy).returncode != 0 and os.path.exists(copy):
            os.remove(copy)

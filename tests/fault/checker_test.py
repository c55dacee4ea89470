#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_disk finds every kind of damage, and nothing on a disk without any."""
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
from device import CHECK, Device  # noqa: E402
from disk_log import do  # noqa: E402
from options import parser  # noqa: E402

sys.path.insert(1, os.path.join(os.path.dirname(CHECK), "checker"))
import fat  # noqa: E402
from files import Folder, tree_of  # noqa: E402

FLIP = "printf x | dd of=%s bs=1 seek=%d conv=notrunc status=none"
OBJECT = "$(find ostree/repo/objects -name '*.%s' -size +%dc | sort | head -1)"
SET = "$(ls -d boot/hostapp/*/linux | head -1 | xargs dirname)"
# what is done to the disk: invariants that are broken by it
DAMAGES = {
    FLIP % (OBJECT % ("file", 100), 20): {"I4", "I5"},
    FLIP % (OBJECT % ("dirtree", 10), 3): {"I4", "I5"},
    FLIP % (OBJECT % ("dirmeta", 1), 1): {"I4", "I5"},
    FLIP % (OBJECT % ("commit", 10), 40): {"I4", "I5"},
    "chmod 600 " + OBJECT % ("file", 100): {"I4", "I5"},
    "setfattr -n user.x -v y " + OBJECT % ("file", 100): {"I4", "I5"},
    "rm " + OBJECT % ("dirmeta", 1): {"I5"},
    "rm " + OBJECT % ("file", 100): {"I5"},
    "touch ostree/repo/objects/00/abc": {"I5"},
    ": > $(find ostree/repo/refs/heads -type f | sort | head -1)": {"I5"},
    "echo %s > $(find ostree/repo/refs/heads -type f | sort | head -1)" % ("0" * 64): {"I5"},
    FLIP % ("hostapp/deployments/2/root.cfs", 3000): {"I3", "I5"},
    "truncate -s -1 hostapp/deployments/1/root.cfs": {"I3", "I5"},
    ": > hostapp/deployments/2/deployment.json": {"I3", "I5"},
    "rm -r hostapp/deployments/2": {"I1", "I2"},
    "rm -r hostapp/deployments/1 hostapp/deployments/2": {"I1", "I2", "I3"},
    ": > %s/initrd" % SET: {"I2", "I5"},
    "rm %s/linux" % SET: {"I2", "I5"},
    FLIP % (SET + "/SHA256SUMS", 5): {"I2"},
    "mkdir -p boot/hostapp/%s; touch boot/hostapp/%s/SHA256SUMS" % ("0" * 64, "0" * 64): set(),  # no set yet
    "dd if=/dev/zero of=hostapp/boot-ledger bs=4096 count=2 conv=notrunc status=none": {"I3", "I5"},
    FLIP % ("hostapp/boot-ledger", 30): set(),  # one slot: the other one counts
    "rm hostapp/boot-ledger": {"I1", "I3"},
}
# The same for what boot loaders read.
GRUB, BLS, UBOOT = "boot/hostapp/grub/", "boot/loader/entries/", "boot/hostapp/uboot/"
LOADER_DAMAGES = {
    "grub": {
        FLIP % (GRUB + "entries/0000000002/entry.cfg", 9): {"I2"},
        ": > %sentries/0000000002/SHA256SUMS" % GRUB: {"I2"},
        "mkdir %sentries/0000000009; touch %sentries/0000000009/SHA256SUMS" % (GRUB, GRUB): set(),  # no entry yet
        "rm -r %sentries" % GRUB: {"I1"},
        "sed -i s/tries=03/tries=3/ %senv; truncate -s 1024 %senv" % (GRUB, GRUB): {"I6"},
        "rm -r hostapp/deployments/3": {"I2"},
    },
    "systemd-boot": {
        FLIP % ("$(ls %s*.conf | tail -1)" % BLS, 90): {"I2"},
        ": > %shostapp-0000000009-0000000099.conf" % BLS: set(),  # the newest: systemd-boot does not list it
        ": > %shostapp-0000000009-0000000000.conf" % BLS: {"I2"},
        ": > %shostapp-0000000009-0000000000+3.conf" % BLS: set(),  # an older trial's, being removed
        ": > $(ls %shostapp-0000000002-*.conf)" % BLS: {"I2"},  # of one that has proved itself
        ": > %shostapp-0000000009-0000000000+3.conf; : > %shostapp-0000000009-0000000099.conf" % (BLS, BLS): {"I2"},
        "rm %s*" % BLS: {"I1"},
    },
    "uboot": {
        FLIP % (UBOOT + "entries/2.env", 9): {"I2"},
        "head -c 99 %sentries/2.env > %sentries/9.env" % (UBOOT, UBOOT): set(),  # no entry yet
        "rm -r %sentries" % UBOOT: {"I1"},
    },
}


def judged_wrongly_on_fat(work):
    """A folder whose entry has lost its cluster is found; without that there is nothing to find, and every file is read."""
    disk, folder, place = work + "/fat", work + "/folder", work + "/fat@@0"
    do("mkfs.vfat", "-C", "-F", "32", "-s", "1", disk, str(36 << 10))
    os.makedirs(folder + "/A folder with a long name/inside")
    with open(folder + "/A folder with a long name/inside/" + "long" * 20, "wb") as file:
        file.write(b"0123456789" * 500)
    do("mcopy", "-s", "-i", disk, folder + "/A folder with a long name", "::")
    files = fat.open_fat(place)
    whole = not list(files.refused()) and {name: value[1] for name, value in tree_of(files, "").items()} == {
        name: value[1] for name, value in tree_of(Folder(folder), "").items()}
    with open(disk, "r+b") as file:
        at = file.read().index(b"INSIDE     ")
        for half in (20, 26):  # of the number of its first cluster
            file.seek(at + half)
            file.write(b"\0\0")
    found = [text for _, text in fat.open_fat(place).refused()]
    return int(not whole) + int(found != ["the folder /A folder with a long name/inside has no cluster: Linux will refuse it"])


def main():
    options = parser(__doc__, ("hostapp", "make-tiny-image", "loader-tool")).parse_args()
    with tempfile.TemporaryDirectory(prefix="hostapp-checker-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as work:
        wrong, count = judged_wrongly_on_fat(work), 2
    for loader, damages in [(None, DAMAGES), *LOADER_DAMAGES.items()]:
        work = tempfile.mkdtemp(prefix="hostapp-checker-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        try:
            root, before = os.path.join(work, "device"), os.path.join(work, "before.json")
            device = Device(options, work, loader)
            device.prepare(root, ["deploy v1", "deploy v2", "mark-good", "deploy v3"])  # proven, one before it, a trial
            do(sys.executable, CHECK, root, "--record", before)
            for damage, expected in [("true", set()), *damages.items()]:
                copy = os.path.join(work, "copy")
                do("cp", "-a", root, copy)
                do("sh", "-ec", damage, cwd=copy)
                found = {line.partition(":")[0] for line in device.check(copy, "--before", before)}
                count += 1
                if found != expected:
                    wrong += 1
                    print("%s: %s: found %s, not %s" % (loader or "no loader", damage, sorted(found), sorted(expected)))
                shutil.rmtree(copy)
        finally:
            shutil.rmtree(work)
    print("%d disks, %d judged wrongly" % (count, wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

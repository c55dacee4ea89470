#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A store on a file system that keeps fs-verity, under a kernel whose overlayfs asks for it (Linux 6.6 and newer).

usage: verity_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import shutil
import sys

from device import LABEL, UUID, asked, main, run

VERITY_FLAG = 0x100000  # of an inode, as debugfs shows it
LARGE = 200000
SECONDS = 360  # this kernel and its fsck are slow under emulation
TESTS = {}

# A device is made on the second disk.
INSTALL = r"""
/bin/busybox mkdir -p /tmp/new
/bin/busybox mount -t %s /dev/vdb /tmp/new
hostapp --quiet --sysroot /tmp/new init 2>&1 | sed 's/^/user-space: init: /'
hostapp --quiet --sysroot /tmp/new deploy oci:/tmp/new/layout:v2 2>&1 | sed 's/^/user-space: deploy: /'
say "object $(/bin/busybox find /tmp/new/ostree/repo/objects -size %dc)"
say "fsck $(hostapp --quiet --sysroot /tmp/new fsck 2>&1 && echo ok)"
/bin/busybox rm /tmp/new/ostree/repo/config
say "repair $(hostapp --quiet --sysroot /tmp/new fsck --repair 2>&1 && echo ok)"
say "config $(/bin/busybox grep verity /tmp/new/ostree/repo/config)"
/bin/busybox umount /tmp/new
"""
LOOK = r"""
cat /usr/lib/large > /dev/null 2>/tmp/why && say "large read" || say "large refused: $(cat /tmp/why)"
hostapp --sysroot /sysroot fsck 2>&1 | sed 's/^/user-space: fsck: /'
"""


def test(function):
    TESTS[function.__name__] = function
    return function


def make_device(device, file_system):
    """Puts the next release on a second disk and lets the machine make a device of it, which is then the machine's own."""
    # QEMU 7.2's emulation of cmpxchg16b now and then leaves flags that no processor has, and Linux 6.12 allocates with it.
    device.cpu = "qemu64,-cx16"
    device.deployment(2, script=LOOK)
    with open(device.path("deployments/2/root/usr/lib/large"), "wb") as file:
        file.write(os.urandom(LARGE))
    device.add_program(device.tools.hostapp, serial=2)
    reference = device.pack(2)
    shutil.rmtree(device.path("deployments/2"))
    content = os.path.join(device.dir, "target-content")
    shutil.copytree(reference.split(":")[1], content + "/layout")
    device.deployment(1, script=INSTALL % (file_system, LARGE))
    device.add_program(device.tools.hostapp)
    device.ledger("default=1")
    where = "root=LABEL=" + LABEL
    if file_system == "ext4":
        device.make_disk(mib=96)
    else:  # so that its module is loaded
        device.make_disk_of(file_system)
        where += " rootflags=subvol=system"
    target = os.path.join(device.dir, "target")
    with open(target, "wb") as disk:
        disk.truncate(320 << 20)
    if file_system == "ext4":
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "verity", "-b", "4096", "-U", UUID, "-L", LABEL + "2", "-d", content, target])
    else:
        run(["mkfs.btrfs", "-q", "-U", UUID, "-L", LABEL + "2", "--rootdir", content, target])
    device.boot(where, more_disks=[target], seconds=SECONDS)
    device.expect("user-space: object /tmp/new/", "user-space: fsck ok", "user-space: repair", "user-space: config fs-verity=true")
    device.expect_not("user-space: init: hostapp:", "user-space: deploy: hostapp:")
    place = device.console.split("user-space: object /tmp/new")[1].split("\n")[0]
    device.disk, device.console = target, ""
    return place


def has_verity(device, path):
    flags = run(["debugfs", "-R", "stat " + path, device.disk]).split("Flags: ")[1].split()[0]
    return int(flags, 16) & VERITY_FLAG != 0


@test
def no_file_of_a_verified_store_is_read_unverified(device):
    """The kernel keeps the digests of root.cfs and of every object; what changes on the disk is not read, and fsck finds it."""
    place = make_device(device, "ext4")
    for path in (place, "/hostapp/deployments/1/root.cfs"):
        assert has_verity(device, path), path
    device.boot("root=LABEL=%s2 %s" % (LABEL, asked(1)), seconds=SECONDS)
    device.expect("user-space: up v2", "report: root=composefs", "report: root-image=loop", "report: root-store=verified",
                  "user-space: large read", "user-space: fsck: ")
    device.expect_not("damaged")
    device.console = ""
    device.overwrite_block(place, 7)
    device.boot("root=LABEL=%s2 %s" % (LABEL, asked(1)), seconds=SECONDS)
    device.expect("report: root-store=verified", "user-space: large refused: ", "Input/output error", "user-space: fsck: ",
                  place.split("/")[-2] + place.split("/")[-1], "Input/output error")


@test
def a_verified_store_on_btrfs(device):
    make_device(device, "btrfs")
    device.boot("root=LABEL=%s2 rootfstype=btrfs %s" % (LABEL, asked(1)), seconds=SECONDS)
    device.expect("user-space: up v2", "report: root-store=verified", "user-space: large read", "user-space: fsck: ")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(sys.argv[2], "version")):
        print("skipped: the newer kernel is not to be had (boot/newer_kernel says why)")
        sys.exit(77)
    main(TESTS, sys.argv[1:])

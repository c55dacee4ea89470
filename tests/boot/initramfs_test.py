#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of initramfs that the device package knows, as its generator makes it, in virtual machines.

usage: initramfs_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import sys

from device import REPORT_PLACES, UUID, main, write
from initramfs import Generators

TESTS = {}

# The physical root has no /proc, /sys and /dev, and no fstab: the deployment has.
SEES = REPORT_PLACES + 'say "early $(grep -c \' /srv/early tmpfs \' /proc/mounts)"'
PLACES = ("user-space: up v1", "report: serial=1", "report: etc=overlay", "user-space: root ro", "user-space: etc overlay",
          "user-space: sysroot-files boot-ledger deployments tmp var", "user-space: tree read-only",
          "user-space: writable etc", "user-space: writable var", "user-space: writable sysroot")


def test(function):
    TESTS[function.__name__] = function
    return function


def one_deployment(device, script=SEES):
    device.deployment(1, script=script)
    tree = device.path("deployments/1/root")
    write(os.path.join(tree, "usr/lib/os-release"), "ID=test\n")
    write(os.path.join(tree, "usr/etc/fstab"), "none /srv/early tmpfs x-initrd.mount 0 0\n")
    device.ledger("default=1")


@test
def dracut_with_systemd(device):
    """The deployment is in place before systemd reads its fstab."""
    initramfs = Generators(device.tools).dracut_with_systemd()
    one_deployment(device)
    device.make_disk()
    device.boot("systemd.show_status=no root=UUID=" + UUID, initramfs=initramfs)
    device.expect("booting deployment 1 (default", *PLACES, "user-space: early 1")
    device.expect_ledger(attempts=1)


@test
def dracut_without_systemd(device):
    """dracut wants /proc, /sys and /dev in what it mounted: what it finds there is the deployment."""
    initramfs = Generators(device.tools).dracut_without_systemd()
    one_deployment(device)
    device.make_disk()
    device.boot("rd.shell=0 rd.emergency=reboot root=UUID=" + UUID, initramfs=initramfs, restarts=False)
    device.expect("booting deployment 1 (default", *PLACES)
    device.expect_not("no proper rootfs layout")
    device.expect_ledger(attempts=1)


if __name__ == "__main__":
    main(TESTS, sys.argv[1:])

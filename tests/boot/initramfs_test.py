#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of initramfs that the device package knows, as its generator makes it, in virtual machines.

usage: initramfs_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import sys

from device import LABEL, REPORT_PLACES, UUID, asked, main, write
from initramfs import Generators

TESTS = {}

# The physical root has no /proc, /sys and /dev, and no fstab: the deployment has.
SEES = REPORT_PLACES + 'say "early $(grep -c \' /srv/early tmpfs \' /proc/mounts)"\n'
PLACES = ("user-space: up v1", "report: serial=1", "report: etc=overlay", "user-space: root ro", "user-space: etc overlay",
          "user-space: sysroot-files boot-ledger deployments tmp var", "user-space: tree read-only",
          "user-space: writable etc", "user-space: writable var", "user-space: writable sysroot")


def test(function):
    TESTS[function.__name__] = function
    return function


def one_deployment_on(machine):
    machine.deployment(1, script=SEES)
    tree = machine.path("deployments/1/root")
    write(os.path.join(tree, "usr/lib/os-release"), "ID=test\n")
    write(os.path.join(tree, "usr/etc/fstab"), "none /srv/early tmpfs x-initrd.mount 0 0\n")
    machine.ledger("default=1")
    machine.make_disk()


def make_damage(machine):
    """A file with too many links and wrong counts: what `e2fsck -p` mends without being asked twice."""
    machine.damage("sif /hostapp/deployments/1/root/usr/lib/release links_count 5", "ssv free_blocks_count 1")


def lose_a_folder(machine):
    """A folder without a name: `e2fsck -p` leaves that to a person."""
    machine.damage("unlink /hostapp/deployments/1/root/opt")


def expect_mended(machine):
    assert machine.damage_left() == "", machine.damage_left() + machine.said()


@test
def dracut_with_systemd(device):
    """The deployment is in place before systemd reads its fstab. The root is checked, as far as the command line wants."""
    initramfs = Generators(device.tools).dracut_with_systemd()
    one_deployment_on(device)
    lose_a_folder(device)
    device.boot("systemd.show_status=no rd.shell=0 rd.emergency=reboot fsck.repair=yes root=UUID=" + UUID,
                initramfs=initramfs, restarts=False)
    device.expect("booting deployment 1 (default", *PLACES, "user-space: early 1")
    expect_mended(device)
    device.expect_ledger(attempts=1)


@test
def dracut_without_systemd(device):
    """dracut wants /proc, /sys and /dev in what it mounted: what it finds there is the deployment."""
    initramfs = Generators(device.tools).dracut_without_systemd()
    one_deployment_on(device)
    make_damage(device)
    device.boot("rd.shell=0 rd.emergency=reboot root=UUID=" + UUID, initramfs=initramfs, restarts=False)
    device.expect("booting deployment 1 (default", *PLACES)
    device.expect_not("no proper rootfs layout")
    expect_mended(device)
    device.expect_ledger(attempts=1)


@test
def initramfs_tools_mends_a_damaged_root(device):
    """An image of a machine whose /etc/fstab names no root: the checker is there because our hook takes it."""
    generators = Generators(device.tools)
    initramfs = generators.initramfs_tools()
    files = generators.files_in(initramfs)
    for name in ("fsck fsck.ext4 fsck.ext3 fsck.ext2 e2fsck logsave hostapp-init overlay.ko erofs.ko loop.ko").split():
        assert name in files, "%s is not in the initramfs" % name
    one_deployment_on(device)
    make_damage(device)
    device.boot("root=UUID=" + UUID, initramfs=initramfs, restarts=False)
    device.expect("contains a file system with errors, check forced", "FIXED", "booting deployment 1 (default", *PLACES)
    expect_mended(device)
    device.expect_ledger(attempts=1)


@test
def composefs_root_boots_from_every_initramfs(device):
    """They have the modules, and loop, which no mount asks for, is loaded."""
    generators = Generators(device.tools)
    device.deployment(1, script=SEES)
    tree = device.path("deployments/1/root")
    write(os.path.join(tree, "usr/lib/os-release"), "ID=test\n")
    write(os.path.join(tree, "usr/etc/fstab"), "none /srv/early tmpfs x-initrd.mount 0 0\n")
    device.as_composefs(1)
    device.ledger("default=1")
    for make in (generators.initramfs_tools, generators.dracut_with_systemd, generators.dracut_without_systemd):
        print("  " + make.__name__, flush=True)
        device.make_disk()
        device.console = ""
        device.boot("systemd.show_status=no rd.shell=0 rd.emergency=reboot root=UUID=" + UUID, initramfs=make(), restarts=False)
        device.expect("booting deployment 1 (default", *PLACES)
        device.expect("report: root=composefs", "report: root-image=loop")


@test
def tiny_mends_a_damaged_root(device):
    """On a machine without a battery for its clock: the file system was made in the future."""
    one_deployment_on(device)
    make_damage(device)
    device.boot("root=UUID=" + UUID, initramfs=Generators(device.tools).tiny(), clock="1985-01-01")
    device.expect("contains a file system with errors, check forced", "FIXED", "booting deployment 1 (default", *PLACES)
    expect_mended(device)
    device.expect_ledger(attempts=1)


@test
def tiny_boots_with_damage_that_a_person_has_to_mend(device):
    one_deployment_on(device)
    lose_a_folder(device)
    device.boot("root=UUID=" + UUID, initramfs=Generators(device.tools).tiny())
    device.expect("UNEXPECTED INCONSISTENCY", "e2fsck left damage or did not run; mounting it anyway",
                  "booting deployment 1 (default", *PLACES)


def trial_boots_from(device, file_system, root):
    """By its identity, with the modules that only this file system needs; what is written is there after the power is off."""
    device.deployment(1)
    device.change_etc(1)
    device.deployment(2, good=False, script=SEES + 'say "hostname $(cat /etc/hostname)"; echo two > /etc/added')
    device.ledger("default=1", "trial=2", "tries=3", "etc-from=1")
    device.make_disk_of(file_system)
    device.boot("root=%s %s" % (root, asked(2)))
    device.expect("booting deployment 2 (trial, kernel own)", "user-space: up v2", "report: reason=trial",
                  "report: ledger-writable=yes", "report: etc=overlay", "user-space: root ro", "user-space: etc overlay",
                  "user-space: etc-files hostname secret", "user-space: writable etc", "user-space: writable var",
                  "user-space: hostname changed-by-admin")
    device.expect_not("hostapp-init: loading")
    device.expect_ledger(default=1, trial=2, tries=2, generation=11, slots="valid,valid")
    assert device.file("/hostapp/deployments/2/etc/upper/added") == b"two\n"
    assert device.file("/hostapp/var/lib/from-image") == b"v2\n"


@test
def xfs_root(device):
    trial_boots_from(device, "xfs", "UUID=" + UUID)


@test
def btrfs_root(device):
    trial_boots_from(device, "btrfs", "LABEL=%s rootflags=subvol=system" % LABEL)


if __name__ == "__main__":
    main(TESTS, sys.argv[1:])

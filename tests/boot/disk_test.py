#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks of `hostapp-image disk` that start by themselves, and the program on them: it deploys the next release, which is
tried and fails.

usage: disk_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import shutil
import sys

from device import OVMF_CODE, UBOOT, Device, Skipped, main, run

VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
MODULES = "nls/nls_cp437 nls/nls_ascii fat/fat fat/vfat efivarfs/efivarfs".split()
ARGUMENTS = ("--karg", "console=ttyS0", "--karg", "no_timer_check", "--karg", "panic=1", "--karg", "hostapp.restart-delay=1")
TESTS = {}

# Release 1, in its first boot: reconcile, as the unit does, then the next release. In a later one: what came of it.
FIRST = r"""
for module in %s; do /bin/busybox insmod /usr/lib/modules/%s/$module.ko; done
[ ! -d /sys/firmware/efi ] || /bin/busybox mount -t efivarfs efivarfs /sys/firmware/efi/efivars
hostapp reconcile 2>&1 | sed 's/^/user-space: reconcile: /'
if [ ! -e /var/lib/deployed ]; then
  hostapp deploy --tries 2 oci:/usr/share/next:v2 2>&1 | sed 's/^/user-space: deploy: /'
  touch /var/lib/deployed
  %s
  sync
  reboot -f
fi
hostapp status 2>&1 | sed 's/^/user-space: status: /'
say "fsck $(hostapp --quiet fsck >/dev/null 2>&1 && echo ok)"
"""

# The kernel of the release that was deployed last.
DAMAGE = r"""
  /bin/busybox mkdir -p /tmp/boot
  /bin/busybox mount -t vfat /dev/vda1 /tmp/boot
  set=$(sed 's/.*"boot_set": *"\([0-9a-f]*\)".*/\1/;/^[0-9a-f]*$/!d' /sysroot/hostapp/deployments/2/deployment.json)
  dd if=/dev/zero of=/tmp/boot/hostapp/$set/linux bs=64k count=1 conv=notrunc 2>/dev/null && say "damaged $set"
  /bin/busybox umount /tmp/boot
"""


def test(function):
    TESTS[function.__name__] = function
    return function


class DiskDevice(Device):
    def needs(self, *paths):
        for path in paths:
            if not os.path.exists(path):
                raise Skipped("no " + path)

    def with_variables(self):
        self.variables = os.path.join(self.dir, "variables")
        shutil.copy(VARIABLES, self.variables)

    def add_program(self, tree):
        """hostapp, with all that it links to, and the modules that it wants loaded."""
        program = os.path.join(self.tools.build, "tools/hostapp/hostapp")
        run(["strip", "-o", os.path.join(tree, "bin/hostapp"), program])
        for word in run(["ldd", program]).split():
            if word.startswith("/"):
                os.makedirs(os.path.dirname(tree + word), exist_ok=True)
                shutil.copy(word, tree + word)
        for module in MODULES:
            name = "%s/%s.ko" % (self.tools.version, os.path.basename(module))
            shutil.copy(os.path.join(self.tools.kernel, "root/lib/modules", self.tools.version, "kernel/fs", module + ".ko"),
                        os.path.join(tree, "usr/lib/modules", name))

    def make(self, loader, then=""):
        """Release 2 does nothing but to come up and restart; `then` is done after it was deployed."""
        self.deployment(2, script="reboot -f")
        self.pack(2)
        names = " ".join(os.path.basename(module) for module in MODULES)
        self.deployment(1, script=FIRST % (names, self.tools.version, then))
        tree = self.path("deployments/1/root")
        self.add_program(tree)
        shutil.copytree(os.path.join(self.dir, "layout-2"), os.path.join(tree, "usr/share/next"))
        self.disk_of(self.pack(1), "--loader", loader, *ARGUMENTS)


def expect_tried_and_gone_back(device):
    device.expect("booting deployment 1 (default, kernel own): asked for 1", "user-space: up v1", "user-space: deploy: ",
                  "booting deployment 2 (trial, kernel own): asked for 2", "tries left 1", "user-space: up v2",
                  "booting deployment 2 (trial, kernel own): asked for 2", "tries left 0", "user-space: up v2",
                  "booting deployment 1 (default, kernel own): asked for 1", "user-space: up v1",
                  "user-space: status: last failure  deployment 2: no-tries-left", "user-space: fsck ok")
    device.expect_ledger(default=1, trial=0, failed=2)


@test
def disk_with_systemd_boot_tries_a_release_and_goes_back(device):
    """Started by firmware without an option for it, which has four when the release is tried."""
    device.needs(OVMF_CODE, VARIABLES, SYSTEMD_BOOT)
    device.with_variables()
    device.make("systemd-boot")
    device.boot("", firmware="uefi", seconds=600)
    expect_tried_and_gone_back(device)
    device.expect('BdsDxe: starting Boot0001 "UEFI ', 'BdsDxe: starting Boot0003 "hostapp" from HD(1,GPT')
    device.expect_not("telling the firmware", "the firmware does not")


@test
def disk_with_systemd_boot_comes_back_from_a_kernel_that_is_rubbish(device):
    """By the options that the program itself has given the firmware, without a hand."""
    device.needs(OVMF_CODE, VARIABLES, SYSTEMD_BOOT)
    device.with_variables()
    device.make("systemd-boot", then=DAMAGE)
    device.boot("", firmware="uefi", seconds=600)
    device.expect("booting deployment 1 (default", "user-space: deploy: ", "user-space: damaged ",
                  "booting deployment 1 (default", "user-space: reconcile: deployment 2 never reached its initramfs",
                  "user-space: status: last failure  deployment 2: loader-gave-up", "user-space: fsck \n")
    device.expect_not("booting deployment 2")
    device.expect_ledger(default=1, trial=0, failed=2)


@test
def disk_with_uboot_tries_a_release_and_goes_back(device):
    device.needs(UBOOT)
    device.make("uboot")
    device.boot("", firmware="uboot", seconds=600)
    expect_tried_and_gone_back(device)


if __name__ == "__main__":
    main(TESTS, sys.argv[1:], DiskDevice)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks of `hostapp-image disk` that start by themselves, and the program on them: it deploys the next release, which is
tried and fails.

usage: disk_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import glob
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


def copy_into(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)


class DiskDevice(Device):
    def needs(self, *paths):
        for path in paths:
            if not os.path.exists(path):
                raise Skipped("no " + path)

    def with_variables(self):
        self.variables = os.path.join(self.dir, "variables")
        shutil.copy(VARIABLES, self.variables)

    def add_hostapp(self, serial, modules=MODULES):
        """hostapp, with all that it links to, and the modules that it wants loaded."""
        self.add_program(self.tools.hostapp, serial)
        tree = self.path("deployments", str(serial), "root")
        for module in modules:
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
        self.add_hostapp(1)
        shutil.copytree(os.path.join(self.dir, "layout-2"), os.path.join(tree, "usr/share/next"))
        self.disk_of(self.pack(1), "--loader", loader, *ARGUMENTS)


# The loader's program on the EFI system partition is made anew, and lost.
UPDATE = r"""
for module in %s; do /bin/busybox insmod /usr/lib/modules/%s/$module.ko; done
/bin/busybox mount -t efivarfs efivarfs /sys/firmware/efi/efivars
hostapp --quiet reconcile 2>&1 | sed 's/^/user-space: reconcile: /'
start=$(cat /var/lib/starts 2>/dev/null || echo 1)
echo $((start + 1)) > /var/lib/starts
say "update $start $(hostapp --quiet --json loader update 2>&1 | tr -d '\n ')"
if [ $start = 2 ]; then
  /bin/busybox mkdir -p /tmp/esp
  /bin/busybox mount -t vfat /dev/vda2 /tmp/esp
  dd if=/dev/zero of=/tmp/esp/EFI/hostapp/grubx64.efi bs=64k count=1 conv=notrunc 2>/dev/null
  /bin/busybox umount /tmp/esp
fi
if [ $start != 3 ]; then
  sync
  reboot -f
fi
"""

# In an installer: nothing is on the other disks.
INSTALL = r"""
for module in %s; do /bin/busybox insmod /usr/lib/modules/%s/$module.ko; done
for pair in vdb:uboot vdc:systemd-boot; do
  hostapp --quiet install --loader ${pair#*:} --karg console=ttyS0 --karg no_timer_check --karg panic=1 --hostname ${pair%%:*} \
    /dev/${pair%%:*} oci:/usr/share/next:v2 2>&1 | sed "s/^/user-space: install: /"
  say "installed ${pair#*:} $(hostapp --quiet install --loader none /dev/${pair%%:*} oci:/usr/share/next:v2 2>&1)"
done
"""
INSTALLED = r"""
for module in %s; do /bin/busybox insmod /usr/lib/modules/%s/$module.ko; done
[ ! -d /sys/firmware/efi ] || /bin/busybox mount -t efivarfs efivarfs /sys/firmware/efi/efivars
hostapp --quiet reconcile 2>&1 | sed 's/^/user-space: reconcile: /'
say "hostname $(cat /etc/hostname)"
say "fsck $(hostapp --quiet fsck 2>&1 && echo ok)"
"""


def expect_tried_and_gone_back(device):
    device.expect("booting deployment 1 (default, kernel own): asked for 1", "user-space: up v1", "report: root=composefs",
                  "user-space: deploy: ", "booting deployment 2 (trial, kernel own): asked for 2", "tries left 1",
                  "user-space: up v2", "report: root=composefs",
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


@test
def disk_with_grub_gets_another_grub_and_falls_back_to_the_first(device):
    """Firmware that was told nothing, then an option for the new program, then that program damaged."""
    device.needs(OVMF_CODE, VARIABLES)
    device.with_variables()
    device.deployment(1, script=UPDATE % (" ".join(map(os.path.basename, MODULES)), device.tools.version))
    device.add_hostapp(1)
    device.add_program("/usr/bin/grub-mkimage")
    shutil.copytree("/usr/lib/grub/x86_64-efi", device.path("deployments/1/root/usr/lib/grub/x86_64-efi"))
    device.disk_of(device.pack(1), "--loader", "grub", *ARGUMENTS)
    device.boot("", firmware="uefi", seconds=600)
    device.expect('BdsDxe: starting Boot0001 "UEFI ', "user-space: update 1 {", '"changed":true',
                  'BdsDxe: starting Boot0003 "hostapp" from HD(2,GPT', "user-space: update 2 {", '"changed":false',
                  'BdsDxe: failed to load Boot0003 "hostapp"', 'BdsDxe: starting Boot0001 "UEFI ',
                  "user-space: update 3 {", '"changed":true')
    device.expect_not("user-space: reconcile: ")


@test
def disks_made_by_install_in_a_machine_boot_with_uboot_and_systemd_boot(device):
    """FAT boot file systems, made and mounted by a running system that is an installer."""
    device.needs(OVMF_CODE, VARIABLES, SYSTEMD_BOOT, UBOOT)
    device.deployment(2, script=INSTALLED % (" ".join(map(os.path.basename, MODULES)), device.tools.version))
    device.add_hostapp(2)
    device.pack(2)
    modules = [*MODULES, "../drivers/block/loop"]
    names = " ".join(os.path.basename(module) for module in modules)
    device.deployment(1, script=INSTALL % (names, device.tools.version))
    device.add_hostapp(1, modules)
    for program in ("/usr/sbin/mke2fs", "/usr/bin/mtools"):
        device.add_program(program)
    tree = device.path("deployments/1/root")
    os.symlink("mke2fs", tree + "/bin/mkfs.ext4")
    for name in ("mformat", "mmd", "mcopy"):
        os.symlink("mtools", tree + "/bin/" + name)
    for name in ("gconv-modules", "gconv-modules.d", "IBM850.so"):  # names on a FAT are in a codepage
        found = glob.glob("/usr/lib/*/gconv/" + name)[0]
        (shutil.copytree if os.path.isdir(found) else copy_into)(found, tree + found)
    os.makedirs(os.path.dirname(tree + SYSTEMD_BOOT))
    shutil.copy(SYSTEMD_BOOT, tree + SYSTEMD_BOOT)
    shutil.copytree(os.path.join(device.dir, "layout-2"), os.path.join(tree, "usr/share/next"))
    device.disk_of(device.pack(1), "--size", "600M")
    installed = {}
    for loader in ("uboot", "systemd-boot"):
        installed[loader] = os.path.join(device.dir, "disk-" + loader)
        with open(installed[loader], "wb") as disk:
            disk.truncate(700 << 20)
    device.boot("root=LABEL=hostapp-root rw", more_disks=installed.values(), seconds=600)
    for loader in installed:  # the second time it is not empty any more
        device.expect("user-space: installed %s hostapp: " % loader, "is not empty, there is a partition table (gpt)")
    device.expect_not("user-space: install: hostapp: ")
    device.with_variables()
    for loader, firmware, name in (("uboot", "uboot", "vdb"), ("systemd-boot", "uefi", "vdc")):
        device.disk, device.console = installed[loader], ""
        device.boot("", firmware=firmware, seconds=400)
        device.expect("booting deployment 1 (default, kernel own): asked for 1", "user-space: up v2", "user-space: hostname " + name,
                      "user-space: fsck ok")


if __name__ == "__main__":
    main(TESTS, sys.argv[1:], DiskDevice)

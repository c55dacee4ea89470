#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""systemd-boot (Debian's, under OVMF) with the entries that the adapter writes.

usage: systemd_boot_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import shutil
import sys

from device import main, run
from loader_device import INIT, OFFSET, PART_UUID, SIZE, LoaderDevice

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
PROGRAM = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


class SystemdBootDevice(LoaderDevice):
    loader = "systemd-boot"

    def need(self):
        for path, package in ((CODE, "ovmf"), (VARIABLES, "ovmf"), (PROGRAM, "systemd-boot-efi")):
            self.needs(path, package)
        self.variables = os.path.join(self.dir, "variables")
        shutil.copy(VARIABLES, self.variables)
        os.makedirs(os.path.join(self.boot, "EFI/BOOT"))
        shutil.copy(PROGRAM, os.path.join(self.boot, "EFI/BOOT/BOOTX64.EFI"))

    def machine(self):
        return ["-M", "q35", "-drive", "if=pflash,format=raw,readonly=on,file=" + CODE,
                "-drive", "if=pflash,format=raw,file=" + self.variables,
                "-drive", "file=%s,if=virtio,format=raw" % self.disk]

    def replace_entries(self):
        """The entries as the folder has them; `put` only adds."""
        self.mtools("mdeltree", "::loader/entries")
        self.put()

    def entries(self):
        return sorted(name for name in os.listdir(os.path.join(self.boot, "loader/entries")))


@test
def systemd_boot_starts_the_default_with_its_arguments(device):
    device.stage(1, 'dyndbg="file a.c +p; x"', "cost=$HOME;{x}\\y'z'")
    device.tool("bless", 1)
    device.make_disk()
    device.expect_boot(1)
    device.expect("hostapp.deployment=1 hostapp.boot-set=", 'quiet dyndbg="file a.c +p; x" cost=$HOME;{x}\\y\'z\'\n')


@test
def systemd_boot_counts_the_trial_down_and_then_starts_the_default(device):
    """A downgrade by its version: what we decided last counts. Then the trial is blessed, then rolled back."""
    device.stage(7)
    device.tool("bless", 7)
    device.stage(2)
    device.tool("arm", 7, 2, 2)
    device.make_disk()
    for left in (1, 0):
        device.expect_boot(2)
        device.expect_state(default="7", trial="2 %d" % left)
    device.expect_boot(7)
    device.expect_state(default="7", trial="2 0")
    assert device.entries()[0] == "hostapp-0000000002-0000000002+0-2.conf", device.entries()
    device.tool("bless", 2)
    device.replace_entries()
    device.expect_boot(2)
    device.expect_state(default="2", trial="", proven="2 7")
    device.tool("bless", 7)
    device.replace_entries()
    device.expect_boot(7)


@test
def systemd_boot_passes_over_what_is_damaged(device):
    """An entry with a lost end, then a trial and a default whose kernels are gone: the next proven one."""
    for serial in (1, 3):
        device.stage(serial)
        device.tool("bless", serial)
    device.stage(2)
    device.tool("arm", 3, 2, 3)
    device.make_disk()
    name = "loader/entries/hostapp-0000000002-0000000003+3.conf"
    device.damage(name, device.content(name)[:-30])
    device.expect_boot(3)
    device.damage(name, device.content(name))
    device.damage(device.set_of(2) + "linux", None)
    device.damage(device.set_of(3) + "linux", None)
    device.expect_boot(1)


# Three options for a trial of two tries, by the program itself.
ADD_OPTIONS = INIT.replace("/bin/busybox poweroff", """
/bin/busybox mount -t sysfs sys /sys
/bin/busybox insmod /efivarfs.ko
/bin/busybox mount -t efivarfs efivarfs /sys/firmware/efi/efivars
/loader_tool /sys/firmware/efi/efivars none boot-options %s 1 %d %d 3 && echo "user-space: options written"
/loader_tool /sys/firmware/efi/efivars none boot-options %s 1 %d %d 3 && echo "user-space: nothing missing"
/bin/busybox poweroff""" % ((PART_UUID, OFFSET // 512, SIZE // 512) * 2))


@test
def systemd_boot_comes_back_by_itself_from_a_rubbish_kernel(device):
    """It returns to the firmware, whose next option starts it again: two tries, then the default, in one machine."""
    module = "root/lib/modules/%s/kernel/fs/efivarfs/efivarfs.ko" % device.tools.version
    files = {"/loader_tool": device.tool_path,
             "/efivarfs.ko": os.path.join(device.tools.kernel, module)}
    for word in run(["ldd", device.tool_path]).split():
        if word.startswith("/"):
            files[word] = word
    device.stage(1, init=ADD_OPTIONS, files=files)
    device.tool("bless", 1)
    device.make_disk()
    device.expect_boot(1)
    device.expect("user-space: options written", "user-space: nothing missing")
    device.stage(2)
    device.tool("arm", 1, 2, 2)
    device.put()
    device.damage(device.set_of(2) + "linux", b"rubbish" * 1000)
    device.expect_boot(1)
    device.expect_state(default="1", trial="2 0")


if __name__ == "__main__":
    main(TESTS, sys.argv[1:], SystemdBootDevice)

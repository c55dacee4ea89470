#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""U-Boot (Debian's build for QEMU, x86) with our boot script and the state that the adapter writes.

usage: uboot_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import sys

from device import main
from loader_device import LoaderDevice

FIRMWARE = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


class UbootDevice(LoaderDevice):
    loader = "uboot"

    def need(self):
        self.needs(FIRMWARE, "u-boot-qemu")

    def machine(self):
        return ["-M", "pc", "-bios", FIRMWARE, "-drive", "file=%s,if=virtio,format=raw" % self.disk]


def two(device, tries=3, **second):
    """Default 1, proven; 2 on trial."""
    device.stage(1)
    device.tool("bless", 1)
    device.stage(2, **second)
    device.tool("arm", 1, 2, tries)
    device.make_disk()


@test
def uboot_starts_the_default_with_its_arguments(device):
    """Quotes, separators and spaces reach the kernel as they are."""
    device.stage(1, 'dyndbg="file a.c +p; x"', "it's=a&&b|c;d", "a=#*?[x]{y}~`z`")
    device.tool("bless", 1)
    device.make_disk()
    device.expect_boot(1)
    device.expect('hostapp.deployment=1 hostapp.boot-set=', "rd.emergency=reboot console=ttyS0 no_timer_check quiet "
                  'dyndbg="file a.c +p; x" it\'s=a&&b|c;d a=#*?[x]{y}~`z`\n')
    device.expect_state(default="1", trial="", proven="1")


@test
def uboot_counts_the_trial_down_and_then_starts_the_default(device):
    two(device, tries=2)
    for left in (1, 0):
        device.expect_boot(2)
        device.expect_state(default="1", trial="2 %d" % left)
        assert device.content("hostapp/uboot/state-0") == device.content("hostapp/uboot/state-1")
    device.expect_boot(1)
    device.expect_state(default="1", trial="2 0")
    device.tool("bless", 2)
    device.put()
    device.expect_boot(2)
    device.expect_state(default="2", trial="", proven="1 2")


@test
def uboot_goes_on_to_the_default_in_the_same_boot_when_the_trial_is_damaged(device):
    """A changed byte in the kernel, a short initrd, a missing kernel, a damaged entry: each costs a try."""
    two(device, tries=4)
    kernel = bytearray(device.content(device.set_of(2) + "linux"))
    kernel[len(kernel) // 2] ^= 1
    initrd = device.content(device.set_of(2) + "initrd")
    entry = device.content("hostapp/uboot/entries/2.env")
    for left, path, content, message in (
            (3, device.set_of(2) + "linux", bytes(kernel), "linux of deployment 2 is damaged"),
            (2, device.set_of(2) + "initrd", initrd[:-512], "initrd of deployment 2 is damaged"),
            (1, device.set_of(2) + "initrd", None, "initrd of deployment 2 is damaged"),
            (0, "hostapp/uboot/entries/2.env", entry[:300] + b"!" + entry[301:],
             "the entry of deployment 2 is damaged")):
        device.damage(path, content)
        device.expect_boot(1)
        device.expect(message, "starting deployment 1")
        device.expect_not("starting deployment 2")
        device.expect_state(default="1", trial="2 %d" % left)


@test
def uboot_reads_the_other_copy_when_one_is_damaged(device):
    two(device)
    state = device.content("hostapp/uboot/state-0")
    device.damage("hostapp/uboot/state-0", state[:20] + b"!" + state[21:])
    device.expect_boot(2)
    device.expect_state(default="1", trial="2 2")
    device.damage("hostapp/uboot/state-0", b"short")
    device.expect_boot(2)
    device.expect_state(default="1", trial="2 1")
    device.damage("hostapp/uboot/state-1", b"\0" * 512)
    device.expect_boot(2)
    device.expect_state(default="1", trial="2 0")


@test
def uboot_starts_the_newest_proven_when_its_state_is_lost(device):
    """And never the trial, which it could not count. With the default damaged, too, it goes on to another one."""
    device.stage(1)
    device.tool("bless", 1)
    device.stage(3)
    device.tool("bless", 3)
    device.stage(2)
    device.tool("arm", 1, 2, 3)
    device.make_disk()
    device.damage("hostapp/uboot/state-0", b"\xff" * 512)
    device.damage("hostapp/uboot/state-1", None)
    device.expect_boot(3)
    device.expect("both copies of the state are lost")
    device.damage(device.set_of(3) + "linux", b"rubbish")
    device.expect_boot(1)
    device.expect("linux of deployment 3 is damaged", "starting deployment 1")
    device.damage(device.set_of(1) + "initrd", b"rubbish")
    device.start(until="restarting in 30 seconds")
    device.expect("initrd of deployment 1 is damaged", "no deployment can be started")
    device.expect_not("user-space", "starting deployment 2")


@test
def uboot_with_a_board_that_counts_stops_at_the_tries(device):
    """The board's count is played by a line before the script, its altbootcmd by another."""
    two(device, tries=2)
    for lines, serial in (("setenv bootcount 1", 2), ("setenv bootcount 2", 2), ("setenv bootcount 3", 1),
                          ("setenv bootcount 10", 1), ("setenv bootcount 1; setenv hostapp_no_trial 1", 1),
                          ("setenv bootcount", 1)):
        device.tool("install", "bootcount", lines + "\n")
        device.put()
        device.expect_boot(serial)
        device.expect_state(default="1", trial="2 2")


if __name__ == "__main__":
    main(TESTS, sys.argv[1:], UbootDevice)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GRUB follows its adapter, and never stops: machines that start a kernel of no time, and Debian's where that matters.

usage: grub_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import os
import random
import shutil
import sys

from device import Skipped, main
from grub_disk import FIRMWARE, GrubDisk

TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


def change(path, how):
    """A file as a broken disk, a power cut or a person leaves it."""
    with open(path, "rb") as file:
        old = file.read()
    middle = len(old) // 2
    new = {"flipped": old[:middle] + bytes([old[middle] ^ 1]) + old[middle + 1:], "cut": old[:middle],
           "half zeroed": old[:middle] + bytes(len(old) - middle), "zeroed": bytes(len(old)), "empty": b"",
           "garbage": random.Random(4).randbytes(len(old)), "missing": None}[how]
    os.unlink(path)
    if new is not None:
        with open(path, "wb") as file:
            file.write(new)


def update_under_trial(device, **options):
    """Deployment 1 is proven, 2 is new and has three tries."""
    disk = GrubDisk(device, **options)
    disk.stage(1, good=True)
    disk.set_of_2 = disk.stage(2)
    disk.arm(1, 2, 3)
    return disk


@test
def grub_starts_the_default_with_its_arguments(device):
    for top in ("", "/boot"):
        disk = GrubDisk(device, top=top)
        digest = disk.stage(1, "root=UUID=1-2", 'dyndbg="file a.c +p"', '"whole thing=1"', "cost=$HOME;{x}",
                            "all=*?~#&|<>!()[]%", "empty=", "o=\u00f6", good=True)
        disk.make()
        disk.boot()
        disk.expect_started(1)
        want = ("BOOT_IMAGE=%s/hostapp/%s/linux hostapp.deployment=1 hostapp.boot-set=%s panic=10 "
                'fsck.repair=yes rd.shell=0 rd.emergency=reboot root=UUID=1-2 "dyndbg=file a.c +p" "whole thing=1" '
                "cost=$HOME;{x} all=*?~#&|<>!()[]%% empty= o=\u00f6") % (top, digest, digest)
        assert disk.value("kernel") == want, "%s\n%s" % (disk.value("kernel"), want)
        disk.expect_state(default=1)


@test
def grub_passes_on_the_longest_arguments_that_the_adapter_takes(device):
    disk = GrubDisk(device, top="/boot")
    digest = disk.boot_set(1)
    longest = 0
    for bit in (1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 0):
        shutil.rmtree(disk.path("grub/entries"), ignore_errors=True)
        try:
            disk.tool("stage", disk.boot_dir, "1", digest, "two words", "x=" + "y" * (longest + bit), "last")
            longest += bit
        except AssertionError as error:
            assert "more than the" in str(error), error
    assert longest > 1500, longest
    disk.bless(1)
    disk.make()
    disk.boot()
    assert disk.value("kernel").endswith(' "two words" x=' + "y" * longest + " last"), disk.console


@test
def grub_counts_a_trial_down_and_then_starts_the_default(device):
    for top in ("", "/boot"):
        disk = update_under_trial(device, top=top)
        disk.make()
        for started, left in ((2, 2), (2, 1), (2, 0), (1, 0), (1, 0)):
            disk.boot()
            disk.expect_started(started)
            disk.expect_state(default=1, trial=2, tries=left, proven=1)


@test
def grub_starts_a_trial_again_that_was_armed_again(device):
    disk = update_under_trial(device)
    disk.arm(1, 2, 9)
    disk.make()
    disk.boot()
    disk.expect_started(2)
    disk.expect_state(tries=8)


@test
def grub_starts_no_trial_without_a_count(device):
    disk = update_under_trial(device)
    whole = disk.read_env()
    for count in (b"hostapp_tries=00\n", b"hostapp_tries=3\n", b"hostapp_tries=x3\n", b"hostapp_tries=10\n",
                  b"hostapp_tries=\n", b""):
        block = whole.replace(b"hostapp_tries=03\n", count)
        disk.write_env(block.rstrip(b"#").ljust(1024, b"#"))
        disk.make()
        disk.boot()
        disk.expect_started(1)
        disk.expect_state(default=1)


@test
def grub_without_its_state_starts_what_was_proven_last(device):
    for how in ("missing", "empty", "zeroed", "garbage"):
        disk = update_under_trial(device)
        disk.stage(12, good=True)
        disk.stage(13)
        disk.arm(1, 13, 3)
        change(disk.path("grub/env"), how)
        disk.make()
        disk.boot()
        disk.expect_started(12)


@test
def grub_uses_what_is_left_of_a_torn_state(device):
    """All is said in the first sector, where a tear leaves some of it. GRUB counts only in a block whose end it knows."""
    disk = update_under_trial(device)
    disk.stage(3, good=True)
    disk.arm(1, 2, 3)
    whole = disk.read_env()
    for kept, started in ((512, 1), (whole.index(b"hostapp_tries"), 1), (whole.index(b"hostapp_trial"), 1),
                          (whole.index(b"hostapp_default") + 20, 3)):
        disk.write_env(whole[:kept] + bytes(1024 - kept))
        disk.make()
        disk.boot()
        disk.expect_started(started)
    disk.write_env(whole[:512])
    disk.make()
    disk.boot()
    disk.expect_started(2)
    assert b"hostapp_tries=02\n" in disk.env(), "started without being counted"


@test
def grub_starts_the_default_when_the_trial_is_damaged(device):
    for name, how in (("linux", "flipped"), ("linux", "cut"), ("linux", "missing"), ("linux", "garbage"),
                      ("initrd", "flipped"), ("initrd", "missing"), ("SHA256SUMS", "missing"), ("SHA256SUMS", "empty"),
                      ("SHA256SUMS", "zeroed")):
        disk = update_under_trial(device)
        change(disk.path(disk.set_of_2, name), how)
        expect_default_after_a_try(disk)


@test
def grub_starts_the_default_when_the_trials_entry_is_damaged(device):
    """A zeroed file is a hole on this disk: GRUB's ext4 takes a file of nothing but a hole for one that it cannot read."""
    for name, how in (("entry.cfg", "flipped"), ("entry.cfg", "cut"), ("entry.cfg", "missing"), ("entry.cfg", "empty"),
                      ("SHA256SUMS", "flipped"), ("SHA256SUMS", "cut"), ("SHA256SUMS", "half zeroed"),
                      ("SHA256SUMS", "zeroed"), ("SHA256SUMS", "empty"), ("SHA256SUMS", "missing")):
        disk = update_under_trial(device)
        change(disk.entry_path(2, name), how)
        expect_default_after_a_try(disk)


@test
def grub_starts_nothing_of_another_set_under_a_sets_name(device):
    """All its files agree with its SHA256SUMS, which is another's."""
    disk = update_under_trial(device)
    shutil.rmtree(disk.path(disk.set_of_2))
    shutil.copytree(disk.path(disk.boot_set(7)), disk.path(disk.set_of_2))
    expect_default_after_a_try(disk)


def expect_default_after_a_try(disk):
    disk.make()
    disk.boot()
    disk.expect_said("hostapp: deployment 0000000002 is damaged")
    disk.expect_started(1)
    disk.expect_state(default=1, trial=2, tries=2)


@test
def grub_starts_the_newest_proven_one_when_trial_and_default_are_damaged(device):
    disk = GrubDisk(device)
    sets = {serial: disk.stage(serial, good=serial != 12) for serial in (2, 9, 10, 11, 12)}
    disk.arm(9, 12, 3)
    for serial in (12, 9, 11):
        change(disk.path(sets[serial], "initrd"), "flipped")
    disk.make()
    disk.boot()
    for serial in (12, 9, 11):
        disk.expect_said("hostapp: deployment %010d is damaged" % serial)
    disk.expect_started(10)


@test
def grub_restarts_when_nothing_can_be_started(device):
    disk = GrubDisk(device)
    change(disk.path(disk.stage(1, good=True), "linux"), "flipped")
    disk.stage(2)
    disk.make()
    disk.boot(hurry=True)
    disk.expect_said("hostapp: no deployment can be started; restarting")
    assert disk.value("kernel") is None, disk.console


@test
def grub_restarts_without_its_configuration(device):
    for how in ("missing", "empty", "cut", "garbage"):
        disk = GrubDisk(device)
        disk.stage(1, good=True)
        change(disk.path("grub/grub.cfg"), how)
        disk.make()
        disk.boot(hurry=True)
        disk.expect_said("hostapp: no whole grub.cfg on the file system")
        assert disk.value("kernel") is None, disk.console


@test
def grub_finds_what_was_proven_last_on_fat(device):
    disk = GrubDisk(device, file_system="fat")
    for serial in (9, 11, 10):
        disk.stage(serial, good=True)
    disk.stage(12)
    change(disk.path("grub/env"), "missing")
    disk.make()
    disk.boot()
    disk.expect_started(11)


@test
def grub_restarts_when_the_initrd_cannot_be_loaded(device):
    """A second kernel in the same boot would get a broken command line."""
    disk = GrubDisk(device, mib=24)
    disk.stage(1, good=True)
    disk.initrd_bytes = 15 << 20
    disk.stage(2)
    disk.arm(1, 2, 1)
    disk.make()
    disk.boot(memory=16, hurry=True)
    disk.expect_said("hostapp: deployment 0000000002 could not be started; restarting")
    assert disk.value("kernel") is None, disk.console
    disk.boot(memory=16)
    disk.expect_started(1)


@test
def grub_starts_without_a_serial_port(device):
    disk = update_under_trial(device)
    disk.make()
    disk.boot(serial=False)
    disk.expect_state(tries=2)


@test
def grub_counts_on_fat(device):
    disk = update_under_trial(device, file_system="fat")
    disk.make()
    for started, left in ((2, 2), (2, 1), (2, 0), (1, 0)):
        disk.boot()
        disk.expect_started(started)
        disk.expect_state(default=1, trial=2, tries=left)


@test
def grub_sees_what_linux_wrote_before_a_power_cut(device):
    """Nothing was unmounted: the disk is copied while Linux has its file system mounted."""
    if os.geteuid() != 0:
        raise Skipped("mounting needs root")
    disk = GrubDisk(device)
    disk.stage(1, good=True)
    set_of_2 = disk.boot_set(2)
    disk.make()
    disk.cut_power_after([["stage", "2", set_of_2], ["arm", "1", "2", "3"]])
    disk.boot()
    disk.expect_started(2)
    disk.expect_state(default=1, trial=2, tries=2)
    disk.cut_power_after([["bless", "2"]])
    disk.boot()
    disk.expect_started(2)
    state = disk.state()
    assert state["default"] == "2" and "trial" not in state, state


@test
def grub_bios_starts_linux(device):
    disk = GrubDisk(device, kernel="debian", mib=44)
    digest = disk.stage(1, "console=ttyS0", "quiet", 'dyndbg="file a.c +p"', 'word="two words; $HOME"', good=True)
    disk.make()
    disk.boot()
    disk.expect_started(1)
    assert disk.value("kernel").endswith('console=ttyS0 quiet "dyndbg=file a.c +p" "word=two words; $HOME"'), disk.console
    assert "hostapp.boot-set=%s " % digest in disk.value("kernel")
    assert disk.value("word") == "two words; $HOME", disk.console


def uefi_disk(device, **options):
    """Debian's kernel, since UEFI starts no other; deployment 2 is on its last try."""
    if not os.path.exists(FIRMWARE):
        raise Skipped("no %s: install ovmf" % FIRMWARE)
    disk = GrubDisk(device, kernel="debian", mib=48, **options)
    for serial in (1, 2):
        disk.set_of_2 = disk.stage(serial, "console=ttyS0", "quiet", 'word="two words; $HOME"', good=serial == 1)
    disk.arm(1, 2, 1)
    return disk


@test
def grub_uefi_starts_the_trial_once_and_then_the_default(device):
    disk = uefi_disk(device)
    disk.make()
    for started in (2, 1):
        disk.boot(firmware="uefi")
        disk.expect_started(started)
        assert disk.value("word") == "two words; $HOME", disk.console
        assert "video mode" not in disk.console, "the kernel knows of no screen\n" + disk.console
        disk.expect_state(default=1, trial=2, tries=0)


@test
def grub_uefi_on_fat_starts_the_default_when_the_trial_is_damaged(device):
    disk = uefi_disk(device, file_system="fat")
    change(disk.path(disk.set_of_2, "linux"), "flipped")
    disk.make()
    disk.boot(firmware="uefi")
    disk.expect_said("hostapp: deployment 0000000002 is damaged")
    disk.expect_started(1)
    disk.expect_state(default=1, trial=2, tries=0)


@test
def grub_uefi_restarts_when_nothing_can_be_started(device):
    disk = uefi_disk(device)
    shutil.rmtree(disk.path("grub/entries"))
    disk.make()
    disk.boot(firmware="uefi", hurry=True)
    disk.expect_said("hostapp: no deployment can be started; restarting")


if __name__ == "__main__":
    main(TESTS, sys.argv[1:])

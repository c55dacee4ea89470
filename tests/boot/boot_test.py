#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the user sees of a boot: hostapp-init in virtual machines with small deployments written by hand.

usage: boot_test.py BUILD-DIR KERNEL-DIR WORK-DIR [TEST…]
"""

import json
import os
import shutil
import sys

import composefs_tree
from device import LABEL, PART_UUID, REPORT_PLACES, UUID, Skipped, Tools, asked, main, run, write

TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


@test
def default_boots_with_its_places(device):
    """An ordinary boot, root by UUID: attempts counted, every place as it should be, the report complete."""
    device.deployment(1, script=REPORT_PLACES)
    device.ledger("default=1")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID.upper(), asked(1)))
    device.expect("booting deployment 1 (default, kernel own): asked for 1; default 1, previous 0, trial 0 tries left 0")
    device.expect("filled /var from the image: ", "user-space: up v1", "report: format=1", "report: serial=1",
                  "report: reason=default", "report: trial=no", "report: kernel=own", "report: asked=1",
                  "report: boot-set=" + "1" * 64, "report: ledger-writable=yes", "report: ledger-remade=no",
                  "report: root=checkout", "report: etc=overlay", "user-space: root ro", "user-space: etc overlay",
                  "user-space: tmp tmpfs 1777", "user-space: etc-files hostname removed-by-admin",
                  "user-space: var-files home lib log opt roothome srv usrlocal",
                  "user-space: sysroot-files boot-ledger deployments tmp var", "user-space: tree read-only")
    for place in "etc var home root srv opt usr/local tmp sysroot".split():
        device.expect("user-space: writable %s\n" % place)
    device.expect_ledger(default=1, attempts=1, generation=11, slots="valid,valid")
    assert device.file("/hostapp/deployments/1/etc/upper/probe") == b""
    assert device.file("/hostapp/var/roothome/.profile") == b"image\n"


@test
def trial_takes_a_try_and_the_changes_of_etc(device):
    """Root by LABEL. The try is on disk, the old deployment's changes are here, /var is not filled a second time."""
    device.deployment(1)
    device.change_etc(1)
    device.deployment(2, good=False, script=REPORT_PLACES + """
say "hostname $(cat /etc/hostname) $(stat -c %a:%u /etc/secret/key)"
say "secrets $(ls /etc/secret | tr '\\n' ' ')"
""")
    write(device.path("deployments/2/root/usr/etc/secret/of-image"), "hidden by the folder that the administrator made\n")
    write(device.path("var/lib/mine"), "device\n")
    device.ledger("default=1", "trial=2", "tries=3", "etc-from=1")
    device.make_disk()
    device.mark_opaque("/hostapp/deployments/1/etc/upper/secret")
    device.boot("root=LABEL=%s %s" % (LABEL, asked(2)))
    device.expect("booting deployment 2 (trial, kernel own): asked for 2; default 1, previous 0, trial 2 tries left 2",
                  "copied ", "user-space: up v2", "report: serial=2", "report: reason=trial", "report: trial=yes",
                  "user-space: etc-files hostname secret", "user-space: hostname changed-by-admin 600:0",
                  "user-space: secrets key \n")
    device.expect_ledger(trial=2, tries=2, generation=11, attempts=0, failed=0)
    assert device.file("/hostapp/var/lib/mine") == b"device\n"
    assert device.file("/hostapp/var/lib/from-image") is None
    assert device.file("/hostapp/deployments/2/etc/upper/secret/key") == b"k\n"


@test
def trial_without_init_falls_back_in_the_same_boot(device):
    """The same boot set as the default's: no restart, the cause is in the ledger. One slot is torn before."""
    device.deployment(1)
    device.deployment(2, good=False, init="", boot_set="1" * 64)
    device.ledger("default=1", "trial=2", "tries=3", "boot-set.2=" + "1" * 64)
    device.damage_slot(0, "torn")
    device.make_disk()
    device.boot("root=/dev/vda " + asked(2, "1"), restarts=False)
    device.expect("slot 0 of the boot ledger is damaged: using the other", "booting deployment 2 (trial",
                  "deployment 2 cannot be booted: no-init: /sbin/init: No such file or directory",
                  "booting deployment 1 (no-such-deployment, kernel own)", "user-space: up v1")
    device.expect_ledger(trial=0, failed=2, cause="no-init", text="/sbin/init: No such file or directory", default=1,
                         slots="valid,valid")


@test
def trial_that_never_proves_itself_ends_with_its_tries(device):
    """Root by PARTUUID, kernel from outside, which asks for nothing: two tries, then the default, in one machine."""
    device.deployment(1)
    device.deployment(2, good=False, script="sync; reboot -f")
    device.ledger("default=1", "trial=2", "tries=2")
    device.make_disk(partitioned=True)
    device.boot("root=PARTUUID=%s" % PART_UUID)
    device.expect("booting deployment 2 (trial, kernel outside): asked for 0", "tries left 1", "user-space: up v2",
                  "booting deployment 2 (trial, kernel outside): asked for 0", "tries left 0", "user-space: up v2",
                  "booting deployment 1 (no-tries-left, kernel outside)", "user-space: up v1", "report: serial=1",
                  "report: kernel=outside", "report: boot-set=\n")
    assert device.console.count("user-space: up v2") == 2
    device.expect_ledger(trial=0, failed=2, cause="no-tries-left", default=1)


@test
def foreign_kernel_gets_one_restart(device):
    """The entry keeps asking for the trial with a kernel that nobody here brought, and the newest slot is torn."""
    device.deployment(1)
    device.deployment(2, good=False)
    device.ledger("default=1", "trial=2", "tries=3")
    device.make_disk()
    device.boot("root=/dev/disk/by-uuid/%s %s" % (UUID, asked(2, "7")))
    device.expect("restarting for deployment 1 (foreign-kernel, kernel foreign)",
                  "booting deployment 1 (foreign-kernel, kernel foreign)",
                  "deployment 1 runs under a kernel that it did not bring", "user-space: up v1", "report: kernel=foreign")
    device.expect_not("booting deployment 2", "user-space: up v2")
    device.expect_ledger(trial=2, tries=3, foreign=2, failed=0)


@test
def both_slots_lost_boots_the_newest_proven(device):
    device.deployment(1)
    device.deployment(2)
    device.deployment(3, good=False)
    device.deployment(10, good=True, complete=False)
    device.ledger("default=1", "trial=3", "tries=3")
    device.damage_slot(0, "overwritten")
    device.damage_slot(1, "overwritten")
    device.make_disk()
    device.boot("root=UUID=" + UUID)
    device.expect("both slots of the boot ledger are lost (damaged, damaged)", "booting deployment 2 (ledger-lost",
                  "user-space: up v2", "report: ledger-remade=yes")
    device.expect_ledger(default=2, previous=1, trial=0, generation=1, slots="valid,damaged")


@test
def default_that_never_reaches_user_space_gives_way(device):
    """Its init exits at once: a panic and a restart in the second and third boot without user space, then the previous one."""
    device.deployment(1)
    device.deployment(2, init="#!/bin/sh\nexit 0\n")
    device.ledger("default=2", "previous=1", "attempts=1")
    device.make_disk()
    device.boot("root=UUID=" + UUID)
    device.expect("attempt 2\n", "Kernel panic", "attempt 3\n", "Kernel panic",
                  "booting deployment 1 (default-gave-way, kernel outside)", "user-space: up v1",
                  "report: reason=default-gave-way")
    device.expect_ledger(default=2, attempts=4)


@test
def trial_without_modules_is_refused_under_its_own_kernel(device):
    """Also: a trial whose mount points are missing is the next failure; then the default is booted after one restart."""
    device.deployment(1)
    device.deployment(2, good=False)
    shutil.rmtree(device.path("deployments/2/root/usr/lib/modules"))
    device.ledger("default=1", "trial=2", "tries=3")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("deployment 2 cannot be booted: no-modules: /usr/lib/modules/" + device.tools.version,
                  "restarting for deployment 1", "booting deployment 1 (no-such-deployment, kernel foreign)",
                  "user-space: up v1")
    device.expect_ledger(trial=0, failed=2, cause="no-modules")


@test
def without_overlayfs_etc_is_a_real_copy(device):
    """A trial takes over the changes; what it changes itself is found by the next trial, whose own /etc has a file more."""
    no_overlay = device.tools.initramfs("no-overlay", "--without", "overlay")
    device.deployment(1)
    device.change_etc(1)
    device.deployment(2, good=False, script=REPORT_PLACES + 'echo two > /etc/added; say "host $(cat /etc/hostname)"')
    device.ledger("default=1", "trial=2", "tries=3", "etc-from=1")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2)), initramfs=no_overlay)
    device.expect("report: serial=2", "report: etc=copy", "user-space: etc ext4",
                  "user-space: etc-files hostname secret", "user-space: writable etc", "user-space: host changed-by-admin")
    assert device.file("/hostapp/deployments/2/etc/tree/added") == b"two\n"
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("report: etc=copy", "user-space: etc-files added hostname probe secret")


@test
def composefs_root_boots(device):
    """With a kernel that has no data-only lower layers: the store is an ordinary one. The other kernels: tests/integration."""
    device.deployment(1, script=REPORT_PLACES + """
say "root-files $(ls / | tr '\n' ' ')"
say "mtime $(stat -c %Y /usr/lib/release)"
""")
    os.utime(device.path("deployments/1/root/usr/lib/release"), (86400, 86400))
    device.as_composefs(1)
    device.ledger("default=1")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(1)))
    device.expect("booting deployment 1 (default, kernel own)", "filled /var from the image: ", "user-space: up v1", "report: root=composefs",
                  "report: root-image=loop", "report: root-store=ordinary", "report: etc=overlay", "user-space: root ro",
                  "user-space: etc overlay", "user-space: etc-files hostname removed-by-admin",
                  "user-space: var-files home lib log opt roothome srv usrlocal", "user-space: tree read-only")
    for place in "etc var home root srv opt usr/local tmp sysroot".split():
        device.expect("user-space: writable %s\n" % place)
    device.expect("user-space: root-files bin dev etc home opt proc root run sbin srv sys sysroot tmp usr var \n", "user-space: mtime 86400\n")
    assert device.file("/hostapp/var/roothome/.profile") == b"image\n"


@test
def composefs_root_of_hostapp_deploy_boots(device):
    """The image that the store makes of its layers' indexes, its objects, and its digest in the ledger."""
    device.deploy(device.pack_image(REPORT_PLACES), "--root", "composefs")
    with open(device.path("deployments/1/deployment.json")) as file:
        assert json.load(file)["root"] == "composefs"
    device.make_disk(mib=160)
    device.boot("root=UUID=" + UUID)
    device.expect("booting deployment 1 (default, kernel outside)", "user-space: up v1", "report: root=composefs",
                  "report: etc=overlay", "user-space: etc-files hostname removed-by-admin", "user-space: tree read-only")
    for place in "etc var home root srv opt usr/local tmp sysroot".split():
        device.expect("user-space: writable %s\n" % place)
    device.console = ""
    composefs_tree.flip_byte(device.path("deployments/1/root.cfs"), 5000)
    device.make_disk(mib=160)
    device.boot("root=UUID=" + UUID, restarts=False)
    device.expect("deployment 1 cannot be booted: digest: ", "nothing bootable")


@test
def composefs_trial_takes_the_changes_of_etc(device):
    """From a checkout to a composefs root, and what was an overlay is one again."""
    device.deployment(1)
    device.change_etc(1)
    device.deployment(2, good=False, script=REPORT_PLACES + 'say "hostname $(cat /etc/hostname) $(stat -c %a:%u /etc/secret/key)"')
    device.as_composefs(2)
    device.ledger("default=1", "trial=2", "tries=3", "etc-from=1")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("copied ", "user-space: up v2", "report: trial=yes", "report: root=composefs", "report: etc=overlay",
                  "user-space: etc-files hostname secret", "user-space: hostname changed-by-admin 600:0")


@test
def composefs_image_with_a_wrong_byte_is_a_failed_trial(device):
    """No byte of it is mounted; the device comes back by itself, after one restart for the default's kernel."""
    device.deployment(1)
    device.deployment(2, good=False)
    device.as_composefs(1)
    device.as_composefs(2)
    composefs_tree.flip_byte(device.path("deployments/2/root.cfs"), 5000)
    device.ledger("default=1", "trial=2", "tries=3")
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("booting deployment 2 (trial, kernel own)",
                  "deployment 2 cannot be booted: digest: hostapp/deployments/2/root.cfs: the digest is ", "restarting for deployment 1",
                  "booting deployment 1 (no-such-deployment, kernel foreign)", "user-space: up v1", "report: root=composefs")
    device.expect_not("user-space: up v2")
    device.expect_ledger(trial=0, failed=2, cause="digest", default=1)


@test
def composefs_image_under_fs_verity_is_not_read_before_it_is_mounted(device):
    """The kernel's word for its digest is enough, and it keeps it: a block that changed on the disk is refused when it is read."""
    device.deployment(1, script="verity_tool /sysroot/hostapp/deployments/2/root.cfs && say sealed")
    device.add_program(device.tools.verity_tool)
    device.deployment(2, good=False)
    device.as_composefs(2)
    device.ledger("default=1", "trial=2", "tries=3")
    device.make_disk(options=("-O", "verity", "-b", "4096"))
    device.boot("root=UUID=%s %s" % (UUID, asked(1)))
    device.expect("user-space: sealed")
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("user-space: up v2", "report: root=composefs")
    device.console = ""
    device.overwrite_block("/hostapp/deployments/2/root.cfs", 0)
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("deployment 2 cannot be booted: mount: mounting the image by /dev/loop0: ", "user-space: up v1")
    device.expect_ledger(trial=0, failed=2, cause="mount")


@test
def composefs_trial_without_loop_devices_is_refused(device):
    """This kernel mounts no EROFS from a file; the message has both ways."""
    no_loop = device.tools.initramfs("no-loop", "--without", "loop")
    device.deployment(1)
    device.deployment(2, good=False, boot_set="1" * 64)
    device.as_composefs(2)
    device.ledger("default=1", "trial=2", "tries=3", "boot-set.2=" + "1" * 64)
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2, "1")), initramfs=no_loop, restarts=False)
    device.expect("deployment 2 cannot be booted: mount: opening /dev/loop-control: ", "; mounting the image without a loop device: Block device required",
                  "user-space: up v1")
    device.expect_ledger(trial=0, failed=2, cause="mount")


@test
def nothing_bootable_says_so_and_restarts(device):
    """Never a shell. Root by a name that does not exist first; then a disk without any complete deployment."""
    device.deployment(1, complete=False)
    device.ledger("default=1")
    device.make_disk()
    device.boot("root=LABEL=elsewhere rootdelay=1", restarts=False)
    device.expect("no block device has the identity that root= asks for (elsewhere)", "restarting in 1 seconds")
    device.boot("root=UUID=" + UUID, restarts=False)
    device.expect("nothing bootable: no default, previous or proven deployment can be used", "restarting in 1 seconds")
    device.expect_not("user-space", "shell")


@test
def read_only_disk_boots_the_default_and_no_trial(device):
    device.deployment(1, script=REPORT_PLACES)
    device.change_etc(1)
    os.makedirs(device.path("deployments/1/etc/work"))
    write(device.path("var/lib/mine"), "device\n")
    for place in ("home", "roothome", "srv", "opt", "usrlocal"):
        os.makedirs(device.path("var", place))
    device.deployment(2, good=False)
    device.ledger("default=1", "trial=2", "tries=3")
    device.make_disk()
    device.boot("root=UUID=%s" % UUID, read_only=True)
    device.expect("takes no writes: mounting it read-only", "nothing can be counted, so no trial is tried",
                  "booting deployment 1 (ledger-not-writable", "user-space: up v1", "report: ledger-writable=no",
                  "user-space: etc-files hostname secret")
    device.expect_not("booting deployment 2", "user-space: up v2")


@test
def disk_image_boots(device):
    """Made by hostapp-image of an image with its own kernel and initramfs, not by hand: as a new device finds it."""
    device.make_disk_image("--hostname", "from-disk", script=REPORT_PLACES + 'say "hostname $(cat /etc/hostname)"')
    device.boot("root=LABEL=hostapp-root")
    device.expect("booting deployment 1 (default, kernel outside)", "user-space: up v1", "report: reason=default",
                  "report: root=composefs", "report: etc=overlay", "user-space: hostname from-disk")
    for place in "etc var home root srv tmp sysroot".split():
        device.expect("user-space: writable %s\n" % place)
    device.expect_ledger(default=1, attempts=1, trial=0, failed=0, slots="valid,valid")
    assert device.file("/hostapp/deployments/1/etc/upper/probe") == b""


@test
def disk_with_grub_boots_by_itself(device):
    """One disk, started by BIOS and then by UEFI: GRUB starts the kernel of the deployment with its arguments."""
    device.make_disk_image("--loader", "grub", "--karg", "console=ttyS0", "--karg", "no_timer_check", "--karg", "word=\"a b\"",
                           script='say "cmdline $(cat /proc/cmdline)"')
    for firmware in ("bios", "uefi"):
        device.boot("", firmware=firmware)
        device.expect("booting deployment 1 (default, kernel own): asked for 1")
    device.expect("user-space: up v1", "report: kernel=own", "user-space: cmdline BOOT_IMAGE=/hostapp/", "panic=10",
                  "root=PARTUUID=", '"word=a b"', "booting deployment 1 (default, kernel own)", "user-space: up v1")
    device.expect_ledger(default=1, attempts=2, trial=0, failed=0, slots="valid,valid")


@test
def disk_made_by_install_boots_by_itself(device):
    """A real disk, as far as a loop device is one; then the machine that it is put into."""
    if os.geteuid() != 0:
        raise Skipped("making a disk bootable needs root")
    for file_system, firmware in (("ext4", "bios"), ("xfs", "uefi")):
        shutil.rmtree(device.root)
        device.install_disk(700, "--fs", file_system, "--karg", "console=ttyS0", "--karg", "no_timer_check", "--hostname", "from-disk",
                            script='say "hostname $(cat /etc/hostname) on $(grep " /sysroot " /proc/mounts | cut -d" " -f3)"')
        device.boot("", firmware=firmware)
        device.expect("booting deployment 1 (default, kernel own): asked for 1", "user-space: up v1", "report: kernel=own",
                      "report: root=composefs", "user-space: hostname from-disk on " + file_system)
        device.console = ""


GROW = r"""
say "before $(busybox df -m /sysroot | busybox tail -n 1 | busybox awk '{print $2}') MiB"
hostapp --verbose grow 2>&1 | sed 's/^/user-space: /'
say "after $(busybox df -m /sysroot | busybox tail -n 1 | busybox awk '{print $2}') MiB"
"""


@test
def disk_image_grows_to_the_disk_that_it_was_written_to(device):
    """The power is cut as soon as growing begins, wherever it is by then (each step: tests/integration/real_disk.py); the next
    boot ends it, and the one after finds nothing to do."""
    device.make_disk_image("--loader", "grub", "--karg", "console=ttyS0", "--karg", "no_timer_check", script=GROW,
                           programs=[device.tools.hostapp])
    larger = os.path.getsize(device.disk) + (500 << 20)
    os.truncate(device.disk, larger)
    device.boot("", firmware="bios", until="user-space: growing /dev/vda4 from", after=0.001)
    device.expect("user-space: growing /dev/vda4 from")
    print("  the cut was %s" % ("too late" if "user-space: after " in device.console else "in time"), flush=True)
    device.console = ""
    device.boot("", firmware="bios")
    device.expect("user-space: before ", "user-space: the root file system ", "user-space: after ")
    root = (larger >> 20) - 1 - (device.offset >> 20)
    size = int(device.console.split("user-space: after ")[1].split()[0])
    assert root * 0.9 < size < root, "%s MiB of %d\n%s" % (size, root, device.said())
    table = run(["sfdisk", "--verify", device.disk])
    assert "No errors detected" in table, table
    device.console = ""
    device.boot("", firmware="bios")
    device.expect("user-space: the root file system stays as it is", "it has the whole disk already")


# What a distribution's initramfs does around the hook: the root is mounted read-only, then handed on.
HOOKED = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs run /run
while read -r module; do /bin/busybox insmod $module; done < /etc/hostapp/modules
/bin/busybox mkdir -p /root
/bin/busybox mount -t ext4 -o ro /dev/vda /root
/hostapp-init --root /root || exec /bin/busybox poweroff -f
/bin/busybox mount --move /run /root/run
/bin/busybox mount --move /dev /root/dev
/bin/busybox mount --move /proc /root/proc
/bin/busybox mount --move /sys /root/sys
exec /bin/busybox switch_root /root /sbin/init
"""


@test
def hook_leaves_the_deployment_where_the_root_was_mounted(device):
    hooked = os.path.join(device.dir, "hooked")
    write(hooked, HOOKED, 0o755)
    initramfs = device.tools.initramfs("hooked", "--add", "/bin/busybox=/bin/busybox", "--add",
                                       device.tools.helper + "=/hostapp-init", "--add", hooked + "=/hooked")
    device.deployment(1, script=REPORT_PLACES)
    device.ledger("default=1")
    device.make_disk()
    device.boot("rdinit=/hooked", initramfs=initramfs)
    device.expect("booting deployment 1 (default", "user-space: up v1", "user-space: root ro", "user-space: etc overlay",
                  "user-space: sysroot-files boot-ledger deployments tmp var", "user-space: writable var")
    device.expect_ledger(attempts=1)


RESET = "hostapp factory-reset 1\n/etc/secret\n/var/home/me\n"

REPORT_RESET = r"""
say "kept $(cat /etc/secret/key /var/home/me/letter | tr '\n' ' ')$(stat -c %a:%u /etc/secret/key)"
say "image $(cat /etc/hostname /etc/removed-by-admin /var/lib/from-image | tr '\n' ' ')"
say "var-files $(ls /var /var/lib | tr '\n' ' ')"
say "sysroot-files $(ls /sysroot/hostapp | tr '\n' ' ')"
"""


def used_device(device, *ledger):
    device.deployment(1, script=REPORT_RESET)
    device.change_etc(1)
    os.makedirs(device.path("deployments/1/etc/work"))
    write(device.path("var/home/me/letter"), "mine\n")
    write(device.path("var/lib/database"), "used\n")
    write(device.path("factory-reset"), RESET)
    device.ledger("default=1", "pending=1", *ledger)


def expect_reset(device):
    device.expect("factory reset of /var and of the changes to /etc of deployment 1: ", "user-space: up v1",
                  "user-space: kept k mine 600:0", "user-space: image from-image-1 image v1",
                  "user-space: var-files /var: home lib log opt roothome srv usrlocal  /var/lib: from-image",
                  "user-space: sysroot-files boot-ledger deployments tmp var \n")
    device.expect_ledger(pending=0, default=1, slots="valid,valid")
    assert device.file("/hostapp/var/lib/database") is None
    assert device.file("/hostapp/deployments/1/etc/upper/hostname") is None


@test
def factory_reset_begins_again_with_what_is_kept(device):
    """And once only: the boot after it resets nothing."""
    used_device(device)
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(1)))
    device.expect("deployment 1: 2 paths kept")
    expect_reset(device)
    device.console = ""
    device.boot("root=UUID=%s %s" % (UUID, asked(1)))
    device.expect("user-space: kept k mine 600:0")
    device.expect_not("factory reset")


@test
def factory_reset_goes_on_after_a_cut(device):
    """The states that a power cut leaves, by hand: /var set aside; the new one half filled with what is kept; all but the
    ledger's request done; and the request gone, but not the old trees."""
    used_device(device)
    reset = device.path("reset")

    def set_aside():
        shutil.copytree(device.path("deployments/1/root/var"), os.path.join(reset, "new-var"))
        os.rename(device.path("var"), os.path.join(reset, "old-var"))

    def half_moved():
        os.makedirs(os.path.join(reset, "new-var/home"))
        os.rename(os.path.join(reset, "old-var/home/me"), os.path.join(reset, "new-var/home/me"))

    def all_but_the_ledger():
        for place in "opt roothome srv usrlocal".split():
            os.makedirs(os.path.join(reset, "new-var", place))
        os.rename(os.path.join(reset, "new-var"), device.path("var"))
        os.rename(device.path("deployments/1/etc"), os.path.join(reset, "old-etc-1"))
        os.makedirs(device.path("deployments/1/etc/upper"))
        os.rename(os.path.join(reset, "old-etc-1/upper/secret"), device.path("deployments/1/etc/upper/secret"))

    def request_gone():
        device.ledger("default=1")

    for step in (set_aside, half_moved, all_but_the_ledger, request_gone):
        print("  " + step.__name__, flush=True)
        step()
        device.console = ""
        device.make_disk()
        device.boot("root=UUID=%s %s" % (UUID, asked(1)))
        if step is not request_gone:
            expect_reset(device)
        device.expect("user-space: kept k mine 600:0", "user-space: image from-image-1 image v1", "/var/lib: from-image \n",
                      "user-space: sysroot-files boot-ledger deployments tmp var \n")


@test
def factory_reset_survives_the_machine_being_killed(device):
    """Killed while the new /var is being filled, again and again on the same disk; then a boot gets through."""
    used_device(device)
    # Enough to be in the middle of.
    for i in range(1500):
        write(device.path("deployments/1/root/var/lib/many/%d" % i), "x" * 100)
    device.make_disk()
    for seconds in (0, 0.15, 0.6):
        device.boot("root=UUID=%s %s" % (UUID, asked(1)), until="booting deployment 1", after=seconds)
    device.console = ""
    device.boot("root=UUID=%s %s" % (UUID, asked(1)))
    device.expect("user-space: up v1", "user-space: kept k mine 600:0", "user-space: image from-image-1 image v1",
                  "/var/lib: from-image many \n", "user-space: sysroot-files boot-ledger deployments tmp var \n")
    device.expect_ledger(pending=0)
    assert device.file("/hostapp/var/lib/many/1499") == b"x" * 100


@test
def factory_reset_waits_while_a_trial_boots(device):
    used_device(device, "trial=2", "tries=3", "etc-from=1")
    device.deployment(2, good=False)
    device.make_disk()
    device.boot("root=UUID=%s %s" % (UUID, asked(2)))
    device.expect("user-space: up v2", "report: trial=yes")
    device.expect_not("factory reset")
    device.expect_ledger(pending=1, trial=2)
    assert device.file("/hostapp/var/lib/database") == b"used\n"


def expect_reset_by_watchdog(device, initramfs):
    device.deployment(1)
    device.deployment(2, good=False, init="#!/bin/sh\necho 'user-space: v2 hangs' > /dev/console\nwhile :; do sleep 60; done\n")
    device.ledger("default=1", "trial=2", "tries=2")
    device.make_disk()
    # QEMU starts the same entry again and again, as a loader that has not counted would.
    device.boot(asked(2) + " root=LABEL=%s hostapp.watchdog=4 systemd.watchdog_sec=4" % LABEL, initramfs)
    device.expect("the watchdog resets this machine unless it is fed within 4 seconds", "tries left 1",
                  "user-space: v2 hangs", "tries left 0", "user-space: v2 hangs", "user-space: up v1")
    device.expect_ledger(default=1)


@test
def watchdog_resets_a_trial_that_hangs(device):
    """User space that hangs and feeds nothing: the machine is reset, which has cost a try; without tries the default."""
    expect_reset_by_watchdog(device, device.tools.initramfs("softdog", "--module", "softdog"))


@test
def watchdog_of_the_machine_resets_a_trial_that_hangs(device):
    """The same with one outside of Linux, whose driver kernels for virtual machines lack."""
    device.tools = Tools(device.tools.build, device.tools.kernel + "-generic", device.tools.work)
    device.devices = ["i6300esb"]
    expect_reset_by_watchdog(device, device.tools.initramfs("tiny-generic"))


@test
def watchdog_is_not_started_where_nobody_would_feed_it(device):
    """hostapp.watchdog= alone: said and not done; nor is a device that is not there a reason not to boot."""
    device.deployment(1)
    device.ledger("default=1")
    device.make_disk()
    device.boot(asked(1) + " root=LABEL=%s hostapp.watchdog=4" % LABEL)
    device.expect("has no systemd.watchdog_sec= beside it: no watchdog is started", "user-space: up v1")
    device.boot(asked(1) + " root=LABEL=%s hostapp.watchdog=4 systemd.watchdog_sec=4" % LABEL)
    device.expect("opening /dev/watchdog0: No such file or directory: a hang will not be noticed", "user-space: up v1")


if __name__ == "__main__":
    main(TESTS, sys.argv[1:])

# SPDX-License-Identifier: Apache-2.0
"""The rows of the boot matrix: what is done to a device with a good v1, and what must come of it with no hand on it.

Each gets a cell with v1 on its disk, proven. `settle` starts it until it is at rest; `expect` says what runs then, after
how many starts at most, and which cause `status` names."""

import os
import random
import shutil

from device import Skipped
from matrix_device import NotHere, Wrong
from matrix_images import WATCHDOG

ROWS = {}
TITLES = {}
FSCK = 'at_end() { hostapp --quiet fsck && say "fsck finds nothing"; }\n'


def row(title):
    def add(function):
        ROWS[function.__name__] = function
        TITLES[function.__name__] = title
        return function
    return add


def needs_loader(cell):
    if not cell.column.has_loader:
        raise NotHere("no loader")


def needs_own_kernel(cell):
    if not cell.column.has_loader:
        raise NotHere("the kernel comes from outside")


# What is done to a disk.
def break_user_land(cell, serial):
    """Of a checkout. A new file: the old one is the store's, and other deployments', too."""
    cell.on_disk("cd %s/root/bin; rm busybox; echo rubbish > busybox; chmod 755 busybox" % cell.deployment(serial))


def set_of(serial):
    """The folder of its boot set."""
    digest = "sed 's/.*\"boot_set\": *\"\\([0-9a-f]*\\)\".*/\\1/;t;d' $ROOT/hostapp/deployments/%d/deployment.json" % serial
    return "$BOOT/hostapp/$(%s)" % digest


def tear_slot(cell, slot):
    half = "head -c 2048 /dev/urandom | dd of=$ROOT/hostapp/boot-ledger bs=2048 seek=%d conv=notrunc 2>&1"
    cell.on_disk(half % (2 * slot))


def loader_state(cell, verb):
    """`save`s what the loader acts on, or puts it back: what a cut between ledger and loader leaves."""
    place = os.path.join(cell.dir, "loader-state")
    paths = cell.column.state or ("loader/entries",)
    script = "mkdir -p '%s'\n" % place
    for number, path in enumerate(paths):
        if verb == "save":
            script += "rm -rf '%s/%d'; cp -a $BOOT/%s '%s/%d'\n" % (place, number, path, place, number)
        elif cell.column.state:
            script += "cat '%s/%d' > $BOOT/%s\n" % (place, number, path)
        else:
            script += "rm -rf $BOOT/%s; cp -a '%s/%d' $BOOT/%s\n" % (path, place, number, path)
    cell.on_disk(script)


@row("v2 is fine")
def v2_is_fine(cell):
    cell.update("fine")
    cell.settle()
    cell.expect("v2", starts=1)


@row("kernel file is rubbish: refused by `deploy`")
def kernel_rubbish(cell):
    cell.update("kernel-rubbish", exit_status=4)
    cell.settle()
    cell.expect("v1", starts=1)
    cell.note("refused, exit 4")


@row("kernel file destroyed after `deploy`")
def kernel_destroyed(cell):
    needs_own_kernel(cell)
    cell.update("fine-own")
    cell.on_disk("head -c 1000000 /dev/urandom > %s/linux" % set_of(2))
    cell.settle()
    cell.expect("v1", starts=4, cause="loader-gave-up")


@row("kernel panics at once")
def kernel_panics(cell):
    needs_own_kernel(cell)
    cell.update("panics")
    cell.settle()
    cell.expect("v1", starts=4, cause="loader-gave-up")


@row("wrong initramfs")
def wrong_initramfs(cell):
    needs_own_kernel(cell)
    cell.update("wrong-initramfs")
    cell.settle()
    cell.expect("v1", starts=4, cause="loader-gave-up")


@row("helper missing in the initramfs")
def helper_missing(cell):
    needs_own_kernel(cell)
    cell.update("no-helper")
    cell.settle()
    cell.expect("v1", starts=4, cause="loader-gave-up")


@row("hang in the initramfs (watchdog)")
def initramfs_hangs(cell):
    needs_own_kernel(cell)
    cell.update("initramfs-hangs")
    cell.settle()
    cell.expect("v1", starts=4, cause="no-tries-left")


@row("`/sbin/init` missing: refused by `deploy`; removed after it")
def init_missing(cell):
    cell.update("no-init", exit_status=4)
    cell.update("fine", "--root", "checkout")  # of which one file can be removed
    cell.on_disk("rm %s/root/sbin/init" % cell.deployment(2))
    cell.settle()
    cell.expect("v1", starts=1, cause="no-init")


@row("init exits")
def init_exits(cell):
    cell.update("init-exits")
    cell.settle()
    cell.expect("v1", starts=4, cause="no-tries-left")


@row("hang in user space before the check (watchdog)")
def user_space_hangs(cell):
    cell.update("hangs")
    cell.extra_arguments, cell.initramfs = WATCHDOG, cell.tools.initramfs("softdog", "--module", "softdog")
    cell.settle()
    cell.expect("v1", starts=4, cause="no-tries-left")


@row("check fails")
def check_fails(cell):
    cell.update("check-fails")
    cell.settle()
    cell.expect("v1", starts=2, cause="check-failed")


@row("check hangs")
def check_hangs(cell):
    cell.update("check-hangs")
    cell.settle()
    cell.expect("v1", starts=2, cause="check-timeout")


@row("check crashes")
def check_crashes(cell):
    cell.update("check-crashes")
    cell.settle()
    cell.expect("v1", starts=2, cause="check-failed")


@row("modules missing")
def modules_missing(cell):
    needs_own_kernel(cell)
    cell.update("no-modules")
    cell.settle()
    cell.expect("v1", starts=2, cause="no-modules")


@row("deployment folder deleted")
def folder_deleted(cell):
    cell.update("fine")
    cell.on_disk("rm -r %s" % cell.deployment(2))
    cell.settle()
    cell.expect("v1", starts=2, cause="mount")


@row("composefs image damaged")
def root_image_damaged(cell):
    cell.update("fine")
    cell.on_disk("printf X | dd of=%s/root.cfs bs=1 seek=5000 conv=notrunc 2>&1" % cell.deployment(2))
    cell.settle()
    cell.expect("v1", starts=1, cause="digest")


@row("checkout damaged")
def checkout_damaged(cell):
    cell.update("fine", "--root", "checkout")
    break_user_land(cell, 2)
    cell.settle()
    cell.expect("v1", starts=4, cause="no-tries-left")


@row("boot entry deleted")
def entry_deleted(cell):
    needs_loader(cell)
    cell.update("fine")
    cell.on_disk("ls -d $BOOT/%s; rm -r $BOOT/%s" % ((cell.column.entries % 2,) * 2))
    cell.settle()
    cell.expect("v2", starts=2)
    cell.note("made again")


@row("a ledger slot torn: the older (v2 runs), the newer (v1)")
def slot_torn(cell):
    cell.update("fine")
    kept = cell.disk + ".armed"
    shutil.copy(cell.disk, kept)
    outcomes = []
    for slot in (0, 1):
        shutil.copy(kept, cell.disk)
        cell.starts = []
        tear_slot(cell, slot)
        cell.settle()
        version = cell.version()
        cell.expect(version, starts=2)
        outcomes.append(version)
    os.unlink(kept)
    # The slot that knew of the trial was one of them: what a loader still starts of it proves nothing, and v1 stays.
    if sorted(outcomes) != ["v1", "v2"]:
        raise Wrong("%s run\n%s" % (outcomes, cell.said()))
    cell.note("v2; v1")


@row("both ledger slots destroyed")
def both_slots_destroyed(cell):
    cell.update("fine")
    cell.on_disk("head -c 8192 /dev/urandom | dd of=$ROOT/hostapp/boot-ledger conv=notrunc 2>&1")
    cell.settle()
    cell.expect("v1", starts=2)
    cell.note("ledger made again")


@row("the loader's own state destroyed")
def loader_state_destroyed(cell):
    needs_loader(cell)
    cell.update("fine")
    if cell.column.state:
        for path in cell.column.state:
            cell.on_disk("head -c $(stat -c %%s $BOOT/%s) /dev/urandom > garbage; cat garbage > $BOOT/%s; rm garbage" % (path, path))
    else:
        cell.on_disk("cd $BOOT/loader/entries; for name in *+*; do mv $name ${name%+*}.conf; done")
    if os.path.exists(cell.variables):
        os.unlink(cell.variables)
    cell.settle()
    cell.expect("v2", starts=2)


FILL = """fill() {
  fallocate -l $(($(df -k /var | tail -n 1 | awk '{print $4}') - 512))k /var/fill
  dd if=/dev/zero of=/var/fill2 bs=4k 2>/dev/null
  say "free: $(df -k /var | tail -n 1 | awk '{print $4}') KiB"
}
"""


@row("disk full when v2 is deployed")
def disk_full_in_deploy(cell):
    cell.images.need("fine-own")
    cell.sees_layout = True
    cell.settle(FILL + 'at_end() { fill; hostapp --quiet deploy oci:/mnt:fine-own; say "deploy: exit $?"; }\n')
    if "user-space: deploy: exit 7\n" not in cell.starts[-1].console:
        raise Wrong("deploy does not end with 7\n" + cell.said())
    cell.settle("at_end() { rm /var/fill /var/fill2; hostapp fsck; }")
    cell.expect("v1", starts=2)
    cell.note("refused, exit 7")


@row("disk full while v2 proves itself")
def disk_full_in_trial(cell):
    cell.update("fine")
    cell.settle(FILL + "before() { fill; }\n")
    if "user-space: free: 0 KiB\n" not in cell.starts[0].console:
        raise Wrong("the disk is not full\n" + cell.said())
    cell.expect("v2", starts=1)


def cut(cell, task, until, within):
    """Cuts the power at a random moment after a word on the console; then the device comes to rest by itself, whole."""
    delay = random.uniform(0, within)
    cell.start(task, until=until, after=delay)
    if cell.starts[-1].off:
        raise Skipped("it was at rest before the power was cut, after %.1f s; try again" % delay)
    start = cell.settle(FSCK)
    if "user-space: fsck finds nothing" not in start.console:
        raise Wrong("cut after %.2f s; fsck:\n%s" % (delay, cell.said()))
    cell.note("cut after %.1f s" % delay)


@row("power cut in `deploy`")
def cut_in_deploy(cell):
    cell.images.need("fine-own")
    cell.sees_layout = True
    cut(cell, 'at_end() { say deploying; hostapp --quiet deploy oci:/mnt:fine-own; say "deploy: exit $?"; }\n',
        "user-space: deploying", 5)
    cell.expect(cell.version(), starts=3)


@row("power cut in v2's first boot")
def cut_in_first_boot(cell):
    cell.update("fine")
    cut(cell, "", "booting deployment 2", 5)
    cell.expect("v2", starts=2)


@row("power cut in `mark-good`")
def cut_in_mark_good(cell):
    cell.update("fine")
    cut(cell, "before() { say proving; }\n", "user-space: proving", 1)
    cell.expect("v2", starts=2)


@row("power cut in `gc`")
def cut_in_gc(cell):
    for tag in ("fine-own", "v3"):
        cell.update(tag)
        cell.settle()
    cut(cell, 'at_end() { say collecting; hostapp --quiet gc; say "gc: exit $?"; }\n', "user-space: collecting", 1.5)
    cell.expect("v3", starts=4)


@row("v1 *and* v2 broken, v0 still there")
def two_broken(cell):
    cell.update("fine", "--root", "checkout")
    cell.settle()
    cell.starts = []
    cell.update("init-exits")
    break_user_land(cell, 2)
    cell.settle(most=8)
    # The first deployment is v0 here. The last failure is v1's; v2's is in the history.
    cell.expect("v1", starts=7, cause="unknown", failed=2)
    cell.note("which is v0 here")


@row("good v1 suddenly stops reaching user space")
def good_one_stops(cell):
    cell.update("fine", "--root", "checkout")
    cell.settle()
    cell.starts = []
    break_user_land(cell, 2)
    cell.settle()
    cell.expect("v1", starts=4, cause="unknown")
    cell.note("which is v0 here")


@row("clock at 1970: check fails")
def clock_at_1970(cell):
    cell.clock = cell.column.dead_clock
    year = cell.clock[:4]
    cell.update("check-fails")
    cell.settle('before() { say "clock at $(date +%Y)"; }\n')
    if not all("user-space: clock at %s\n" % year in start.console for start in cell.starts):
        raise Wrong("the clock is not at %s\n%s" % (year, cell.said()))
    cell.expect("v1", starts=2, cause="check-failed")
    if cell.status()["last_failure"]["time"] is not None:
        raise Wrong("a time that nobody knows: %s" % cell.status()["last_failure"])
    if year != "1970":
        cell.note("clock at " + year)


@row("three updates in a row without a restart")
def three_updates(cell):
    tags = ("fine", "v3", "v4")
    for tag in tags:
        cell.images.need(tag)
    cell.sees_layout = True
    deploys = 'for tag in %s; do hostapp --quiet deploy oci:/mnt:$tag || say "deploy: exit $?"; done' % " ".join(tags)
    cell.run("at_end() { %s; }\n" % deploys)
    cell.settle()
    if "user-space: deploy: exit" in cell.starts[0].console:
        raise Wrong("a deploy failed\n" + cell.said())
    cell.expect("v4", starts=2)


@row("rollback by the user, then forward again")
def rollback_and_forward(cell):
    cell.update("fine")
    back = "at_end() { hostapp --quiet rollback; }\n"
    cell.run(back)
    cell.run(back)
    if "user-space: up v1\n" not in cell.starts[-1].console:
        raise Wrong("not back on v1\n" + cell.said())
    cell.settle()
    cell.expect("v2", starts=3)


@row("the failed release still under the tag")
def failed_under_tag(cell):
    cell.images.need("check-fails")
    cell.move_tag("v1", "check-fails")
    cell.sees_layout = True
    task = 'at_end() { say "upgrade $(hostapp --quiet --json upgrade | tr -d \'\\n \')"; }\n'
    cell.run(task)
    cell.run(task)
    if '"skipped":"failed-before"' not in cell.starts[-1].console:
        raise Wrong("not left alone\n" + cell.said())
    cell.expect("v1", starts=3, cause="check-failed")
    cell.note("left alone")


@row("cut between ledger and loader in `deploy`")
def cut_before_arming(cell):
    needs_loader(cell)
    loader_state(cell, "save")
    cell.update("fine")
    loader_state(cell, "put back")
    cell.settle()
    cell.expect("v2", starts=2)


@row("cut between ledger and loader in `mark-good`")
def cut_before_blessing(cell):
    needs_loader(cell)
    cell.update("fine")
    loader_state(cell, "save")
    cell.settle()
    loader_state(cell, "put back")
    start = cell.settle(FSCK)
    if "user-space: fsck finds nothing" not in start.console:
        raise Wrong("the loader does not follow\n" + cell.said())
    cell.expect("v2", starts=2)


@row("same kernel version, different boot set")
def other_boot_set(cell):
    needs_own_kernel(cell)
    cell.update("fine-own")
    cell.settle()
    cell.expect("v2", starts=1)
    sets = {one["boot_set"] for one in cell.status()["deployments"]}
    if len(sets) != 2 or "(trial, kernel own)" not in cell.starts[-1].console:
        raise Wrong("boot sets %s\n%s" % (sets, cell.said()))


@row("six clean restarts during a trial of three tries")
def six_restarts(cell):
    cell.update("fine")
    cell.settle("""before() {
  n=$(cat /var/n 2>/dev/null || echo 0)
  [ $n -ge 6 ] || { echo $((n + 1)) > /var/n; clean_restart; }
}
""", most=9)
    cell.expect("v2", starts=7)
    if len(cell.starts) != 7:
        raise Wrong("%d starts, not 7" % len(cell.starts))

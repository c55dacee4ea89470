#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the power at the writes to a disk whose boot files lie on FAT, as those of systemd-boot and U-Boot do, and GRUB's may.

The kernel here need not know FAT: a virtual machine's does, and runs the verb on the device's disk, whose every write and flush is kept. Then for each moment between two writes, and for random losses among those that no flush had covered, the disk is made as it would have been:

  loader   the FAT as it is (checker/fat.py, which mtools must agree with on a whole one): what the loader would start is whole
  Linux    the same and the root file system, its journal replayed: check_disk
  start    of every n-th, U-Boot or systemd-boot itself starts a kernel from it, one that says what it was started with; what its own writes
           leave is read again
  guest    of every n-th, in a virtual machine: `status` says old or new, the verb again succeeds, gc leaves nothing over; check_disk once more

A FAT that lost writes may be one that Linux refuses, as any program's can; then fsck.fat must mend it, which hostapp runs before it mounts one
that was in use. With --torn requests end between two sectors, those to the FAT at each of them.

A verb without its syncs (lazy_sync.c) must be found wrong, or the suite is.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[1:1] = [os.path.join(HERE, "checker"), os.path.join(ROOT, "tests/boot")]  # `device` is the one beside this program
import disk_log  # noqa: E402
import guest  # noqa: E402
import lanes  # noqa: E402
import tiny_kernel  # noqa: E402
from boot_sets import LOADERS, arguments, why  # noqa: E402
from device import MAIN_VERBS, VERBS, Device  # noqa: E402
from disk_log import do  # noqa: E402
from fat import open_fat  # noqa: E402
from files import Folder, tree_of  # noqa: E402
from options import parser  # noqa: E402
from results import Rows  # noqa: E402

MIB = 1 << 20
FAT_AT, FAT_MIB, ROOT_MIB = MIB, 36, 40  # no FAT32 is smaller
ROOT_AT = FAT_AT + FAT_MIB * MIB
TABLE = "label: gpt\\nstart=%d, size=%d, type=U\\nstart=%d, size=%d\\n" % tuple(
    number // disk_log.SECTOR for number in (FAT_AT, FAT_MIB * MIB, ROOT_AT, ROOT_MIB * MIB))
UBOOT = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
OVMF_CODE, OVMF_VARIABLES = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
# What the tiny kernels say, and after what there is no more to wait for: that, or the firmware has given up.
STARTED = re.compile(r"kernel: (.*)<end>\rinitrd: (.*)<end>\r")
ENOUGH = rb"<end>\rinitrd: .*<end>\r|UEFI Interactive Shell|X64 Exception"
GUEST_SECONDS = 120

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
dmesg -n 1
say() { echo "guest: $*"; }
cat /etc/hostapp/modules /etc/hostapp/modules.ext4 | while read -r module; do insmod $module 2>/dev/null; done
h() { LD_PRELOAD= hostapp --progress none --quiet "$@"; }
tell_status() { say "$1 $(h --json status 2>&1 | tr -d '\n')"; }
open_disk() { mkdir -p /sysroot /run/hostapp; mount -t ext4 "$1"2 /sysroot || say "cannot be mounted: $1"; }
close_disk() { umount /sysroot; }
must() { "$@" || say "FAILED $? $*"; }
""" + guest.MARK + r"""
tr -d '\0' < /dev/vdb > /task
. /task
say off
poweroff -f
"""
# The verb, on the first disk, whose every write is kept.
ONCE = r"""
mkdir -p %(images)s
mount -o ro -t ext4 /dev/vdc %(images)s
open_disk /dev/vda
sync
mark begin
must %(command)s
sync
mark end
tell_status after
close_disk
"""
# What happens after a cut. `before`: how a verb that can be done once only knows that it has not been.
AGAIN = r"""
mkdir -p %(images)s
mount -o ro -t ext4 /dev/vdc %(images)s
open_disk /dev/vda
tell_status found
must h reconcile
tell_status then
[ %(repeats)d = 0 ] && ! h --json status | grep -q '%(before)s' || must hostapp %(verb)s
must h gc
tell_status last
say "left $(h --json gc --dry-run | tr -d '\n ')"
close_disk
"""


class FatDevice(Device):
    def __init__(self, options, work, loader, kernel):
        self.kernel = kernel
        super().__init__(options, work, loader)

    def prepare(self, root, verbs):
        """Its loader's files are below root/boot, and will be on a partition that hostapp mounts itself."""
        super().prepare(root, verbs)
        with open(root + "/hostapp/loader.json", "w", encoding="ascii") as file:
            json.dump({"loader": self.loader, "boot": "/dev/vda1"}, file)


class Guest:
    """A virtual machine whose whole user land is its initramfs: hostapp, and a task on the second disk."""

    def __init__(self, options, work):
        self.work = work
        self.kernel = os.path.join(options.build, "tests/boot/kernel")
        with open(self.kernel + "/version", encoding="ascii") as file:
            version = file.read().strip()
        self.initramfs = os.path.join(work, "initramfs")
        init = os.path.join(work, "init")
        with open(init, "w", encoding="ascii") as file:
            file.write(INIT)
        os.chmod(init, 0o755)
        programs = {options.hostapp: "usr/bin", os.path.join(options.build, "tools/libexec/hostapp/hostapp-store"): "usr/libexec/hostapp"}
        files = {"/bin/busybox": "/bin/busybox", "/usr/sbin/fsck.fat": "/usr/sbin/fsck.fat", init: "/start", options.lazy_sync: "/lazy_sync.so"}
        for program, place in programs.items():
            stripped = os.path.join(work, os.path.basename(program))
            do("strip", "-o", stripped, program)
            files[stripped] = "/%s/%s" % (place, os.path.basename(program))
            for library in re.findall(r"(/\S+) \(0x", do("ldd", program)):
                files[os.path.realpath(library)] = library
        do(os.path.join(ROOT, "initramfs/mkinitramfs"), "--root", self.kernel + "/root", "--kernel", version, "--helper",
           os.path.join(options.build, "initramfs/helper/hostapp-init"), "--compress", "none", "--output", self.initramfs,
           *(word for name in ("vfat", "nls_cp437", "nls_ascii", "nls_utf8") for word in ("--module", name)),
           *(word for source, target in files.items() for word in ("--add", source + "=" + target)))

    def run(self, task, disk, more, name):
        """What it says; `disk` are QEMU's options for the first one, `more` the paths of those after the task's."""
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(task)
        os.truncate(path, 8192)
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", "512", "-display", "none", "-nodefaults", "-no-user-config",
                   "-no-reboot", "-serial", "stdio", *disk]
        for other in (path, *more):
            command += ["-drive", "file=%s,if=virtio,format=raw,readonly=on" % other]
        command += ["-kernel", self.kernel + "/vmlinuz", "-initrd", self.initramfs, "-append",
                    "console=ttyS0 no_timer_check loglevel=4 panic=1 rdinit=/start"]
        done = subprocess.run([*guest.WITH_US, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=GUEST_SECONDS, check=False)
        said = done.stdout.decode(errors="replace").replace("\r", "")
        if "guest: off" not in said or "guest: cannot be mounted" in said:
            raise RuntimeError("the virtual machine: " + said[-2000:] + done.stderr.decode()[-500:])
        return said


def plain(disk):
    return ["-drive", "file=%s,if=virtio,format=raw" % disk]


def said_of(text, word):
    """What the guest said under that word, last."""
    found = re.findall(r"^guest: %s (.*)$" % word, text, re.M)
    return found[-1] if found else ""


def fat_of(disk):
    return "%s@@%d" % (disk, FAT_AT)


def check_fat(disk):
    loop = do("losetup", "--offset", str(FAT_AT), "--sizelimit", str(FAT_MIB * MIB), "-f", "--show", disk)
    try:
        for _ in range(4):
            done = subprocess.run(["fsck.fat", "-a", loop], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode != 1:  # 1: it has mended something, and may have left something to mend
                break
    finally:
        do("losetup", "-d", loop)
    if done.returncode != 0:
        raise RuntimeError("fsck.fat: exit status %d\n%s%s" % (done.returncode, done.stdout, done.stderr))


def first_line(boot, name):
    try:
        return boot.read(name).partition(b"\n")[0].decode(errors="replace")
    except OSError as error:
        return why(error)


def compare_readers(disk, folder):
    """The checker's own reader, beside mtools, on a FAT that is whole."""
    os.makedirs(folder)
    do("mcopy", "-s", "-n", "-Q", "-i", fat_of(disk), "::*", folder)
    ours, theirs = ({name: value[1] for name, value in tree_of(files, "").items()} for files in (open_fat(fat_of(disk)), Folder(folder)))
    if ours != theirs or not ours:
        raise RuntimeError("the FAT is read in two ways: %s; by mtools: %s" % (ours, theirs))
    disk_log.remove(folder)


class Campaign:
    """One verb with one loader."""

    def __init__(self, options, work, machine, loader, verb):
        self.options, self.machine, self.loader, self.verb = options, machine, loader, verb
        self.work = os.path.join(work, "%s-%s" % (loader, verb))
        os.makedirs(self.work)
        self.device = FatDevice(options, self.work, loader, self.tiny_kernel())
        self.before_file = self.work + "/before.json"
        self.images = self.work + "/images.img"
        self.disk = self.work + "/disk"
        self.make_disk()

    def tiny_kernel(self):
        path = self.work + "/tiny_kernel"
        (tiny_kernel.make_efi if self.loader == "systemd-boot" else tiny_kernel.make)(path)
        if self.options.torn:
            os.truncate(path, 8192)  # more to tear: most of the others' writes are of one sector
        return path

    def make_disk(self):
        """The device before the verb, its boot files on FAT."""
        root = self.work + "/root"
        self.device.prepare(root, VERBS[self.verb][0])
        self.before = self.device.status(root)
        status = json.loads(self.device.run(root, "--json status").stdout)
        # For grep: a verb that can be done once only is done again when the state is the one before it.
        self.before_pattern = '"default":%d.*"trial":%s' % (status["default"], '{' if status["trial"] else "null")
        do("mke2fs", "-q", "-F", "-t", "ext4", "-d", self.device.images, self.images, "8M")
        with open(self.disk, "wb") as file:
            file.truncate(ROOT_AT + ROOT_MIB * MIB + MIB)
        do("sh", "-c", "printf '%s' | sfdisk -q '%s'" % (TABLE, self.disk))
        do("mkfs.vfat", "-F", "32", "-s", "1", "--offset", str(FAT_AT // disk_log.SECTOR), self.disk, str(FAT_MIB * 1024))
        if self.loader == "systemd-boot":
            os.makedirs(root + "/boot/EFI/BOOT")
            do("cp", SYSTEMD_BOOT, root + "/boot/EFI/BOOT/BOOTX64.EFI")
        boot = sorted(os.listdir(root + "/boot"))
        do("mcopy", "-s", "-Q", "-i", fat_of(self.disk), *(root + "/boot/" + name for name in boot), "::")
        do("rm", "-r", *(root + "/boot/" + name for name in boot))
        do("mke2fs", "-q", "-F", "-t", "ext4", "-d", root, "-E", "offset=%d" % ROOT_AT, self.disk, "%dM" % ROOT_MIB)
        disk_log.remove(root)
        compare_readers(self.disk, self.work + "/by-mtools")
        os.makedirs(self.work + "/mount")
        self.whole(self.disk, self.work, "--record", self.before_file)

    def words(self):
        return {"images": self.device.images, "verb": " ".join(self.device.argv("", VERBS[self.verb][1])[3:])}

    def record(self, control=None):
        base, disk, log = self.work + "/base", self.work + "/recorded", self.work + "/log"
        disk_log.copy(self.disk, base)
        disk_log.copy(self.disk, disk)
        command = "env %shostapp %s" % ("LD_PRELOAD=/lazy_sync.so LAZY_SYNC='%s' " % control if control else "", self.words()["verb"])
        task = ONCE % {**self.words(), "command": command}
        said = self.machine.run(task, guest.logged_drive(disk, log), [self.images], "task")
        if "guest: FAILED" in said:
            raise RuntimeError("the verb: " + said[-1000:])
        self.after = self.device.meaning(said_of(said, "after"))
        requests = disk_log.read_log(log)
        at = {text: count for count, text in guest.marks(requests)}
        self.recording = disk_log.Recording(base, requests[:at["end"]], at["begin"])
        os.remove(log)
        os.remove(disk)

    def look(self, points, lane, control):
        """Violations of these crash images: (point, view, text). A control needs one."""
        folder = "%s/lane-%d" % (self.work, lane)
        os.makedirs(folder + "/mount", exist_ok=True)
        image = disk_log.Image(self.recording, folder + "/image")
        crash, found = folder + "/crash", []
        for index, (count, keep) in points:
            image.go(count)
            with image.cut(keep):
                image.snapshot(crash)
            total = len(self.recording.requests) - self.recording.begin
            name = "%s after %d of %d requests%s" % (self.verb, count - self.recording.begin, total, disk_log.told(keep))
            wrong = [(name, view, text) for view, text in self.views(crash, folder, index, keep is not None, control)]
            if wrong and self.options.keep and not control:
                os.makedirs(self.options.keep, exist_ok=True)
                disk_log.copy(crash, "%s/%s-%s-%d" % (self.options.keep, self.loader, self.verb, index))
            found += wrong
            if found and control:
                break
        image.close()
        return found

    def views(self, crash, folder, index, is_lost, control):
        """Where the disk lost writes, Linux may refuse what is on the FAT, until fsck.fat has seen it, as it does before hostapp mounts it."""
        yield from (("the loader", text) for text in self.loader_view(crash))
        copy = folder + "/copy"
        disk_log.copy(crash, copy)
        found = self.whole(copy, folder, "--before", self.before_file)
        yield from (("Linux", text) for text in found if not is_lost or not says_refused(text))
        if control:
            return
        is_wrong = any(map(says_refused, found)) or any(open_fat(fat_of(crash)).shared())
        if is_wrong:
            disk_log.copy(crash, copy)
            check_fat(copy)
            yield from (("Linux after fsck.fat", text) for text in self.whole(copy, folder, "--before", self.before_file))
        if self.loader != "grub" and index % self.options.loader_every == 0:
            disk_log.copy(crash, copy)
            yield from ((self.loader + " itself", text) for text in self.start(copy, folder))
        if index % self.options.guest_every == 0 or is_wrong:
            disk_log.copy(crash, copy)
            yield from (("the guest", text) for text in self.go_on(copy, folder))

    def loader_view(self, disk):
        return self.device.check(disk, "--boot", fat_of(disk), "--loader-view")

    def whole(self, disk, folder, *words):
        """Both file systems."""
        try:
            with disk_log.mounted(disk, folder + "/mount", part=(ROOT_AT, ROOT_MIB * MIB)):
                return self.device.check(folder + "/mount", "--boot", fat_of(disk), *words)
        except RuntimeError as error:
            return ["cannot be mounted: %s" % error]

    def start(self, disk, folder):
        """The loader's own code: the first deployment of its order starts, with the initramfs of its own boot set; and what its counting
        leaves is whole."""
        boot = open_fat(fat_of(disk))
        first = LOADERS[self.loader](boot).starts()[:1]
        command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
                   "-serial", "stdio", *self.firmware(folder), *plain(disk)]
        said = guest.until(command, ENOUGH, GUEST_SECONDS)
        found = [(arguments(line) or (line, ""), text) for line, text in STARTED.findall(said)]
        if [serial for (serial, _), _ in found] != first:
            yield "I1: it starts %s, not %s: %s" % (found, first, said[-1500:])
        for (_, boot_set), text in found:
            if text != (wanted := first_line(boot, "hostapp/%s/initrd" % boot_set)):
                yield "I2: it starts with the initramfs %r, not %r" % (text, wanted)
        yield from ("after its start: " + text for text in self.loader_view(disk))

    def firmware(self, folder):
        if self.loader == "uboot":
            return ["-M", "pc", "-bios", UBOOT]
        variables = folder + "/variables"
        disk_log.copy(OVMF_VARIABLES, variables)
        return ["-M", "q35", "-drive", "if=pflash,format=raw,readonly=on,file=" + OVMF_CODE, "-drive", "if=pflash,format=raw,file=" + variables]

    def go_on(self, disk, folder):
        """I7, I8, I9 in a virtual machine, which knows FAT; then the checker again."""
        words = {**self.words(), "repeats": VERBS[self.verb][2], "before": self.before_pattern}
        said = self.machine.run(AGAIN % words, plain(disk), [self.images], os.path.basename(folder) + "-task")
        for word in ("found", "then"):
            try:
                state = self.device.meaning(said_of(said, word))
            except ValueError:
                state = said_of(said, word)
            if state not in (self.before, self.after):
                yield "I7: status says %s, before it was %s, after it %s" % (state, self.before, self.after)
        yield from ("I8: " + text for text in re.findall(r"^guest: (FAILED .*)$", said, re.M))
        state = said_of(said, "last")
        if not state.startswith("{") or self.device.meaning(state) != self.after:
            yield "I8: run again, status says %s, not %s" % (state, self.after)
        left = json.loads(said_of(said, "left") or '{"objects": "nothing said"}')
        if any(left.get(name) for name in ("objects", "refs", "deployments", "boot_sets", "leftovers")):
            yield "I9: gc leaves %s" % left
        recovered = [name for name in open_fat(fat_of(disk)).names("") if name.upper().startswith("FSCK")]
        if recovered:
            yield "I9: fsck.fat's %s is left" % recovered
        yield from ("then " + text for text in self.whole(disk, folder))

    def points(self, images, seed):
        """A write to the FAT lost alone is what a disk that reorders does to a name of two sectors, or to the table of clusters."""
        alone = list(disk_log.lost_alone(self.recording, FAT_AT, ROOT_AT))
        alone = random.Random(seed).sample(alone, min(len(alone), images))
        return sorted(disk_log.crash_points(self.recording, images, seed) + alone, key=lambda point: point[0])

    def run(self, images, seed, control=False):
        """(crash images, violations, seconds)."""
        begun = time.monotonic()
        points = torn_points(self.recording, images, seed) if self.options.torn else self.points(images, seed)
        jobs = self.options.jobs
        shares = lanes.shares(list(enumerate(points)), jobs)
        runs = lanes.each(self.look, [(share, lane, control) for lane, share in enumerate(shares)], jobs)
        found = [violation for wrong in runs for violation in wrong]
        return len(points), found, time.monotonic() - begun


def torn_points(recording, images, seed):
    """Each end of a sector inside a write to the FAT (of too many half of `images`, by chance), and as many more without: of torn writes to the
    root file system crash_images.py knows what any writer meets."""
    ends = [(count + 1, end) for count, (offset, data, _) in enumerate(recording.requests) if count >= recording.begin and FAT_AT <= offset < ROOT_AT
            for end in range(disk_log.SECTOR, len(data), disk_log.SECTOR)]
    torn = random.Random(seed).sample(ends, min(len(ends), images // 2))
    return sorted(torn + disk_log.crash_points(recording, images - len(torn), seed), key=lambda point: point[0])


def says_refused(text):
    return "Linux will refuse it" in text


def parse():
    made = parser(__doc__, ("build", "hostapp", "make-tiny-image", "loader-tool", "lazy-sync"),
                  ("seed", "jobs", "rows", "no-controls", "keep", "work"))
    made.add_argument("--loader", action="append", choices=["grub", "systemd-boot", "uboot"])
    made.add_argument("--verb", action="append", choices=sorted(VERBS))
    made.add_argument("--images", type=int, default=100, help="of each verb and loader")
    made.add_argument("--loader-every", type=int, default=10, metavar="N", help="of every N-th image U-Boot or systemd-boot starts a kernel")
    made.add_argument("--guest-every", type=int, default=50, metavar="N", help="of every N-th image the verb runs again")
    made.add_argument("--torn", action="store_true", help="requests torn between two sectors")
    return made.parse_args()


def main():
    options = parse()
    disk_log.alone()
    do(os.path.join(ROOT, "tests/boot/get_kernel"), os.path.join(options.build, "tests/boot/kernel"))
    work = tempfile.mkdtemp(prefix="hostapp-fat-", dir=options.work or "/dev/shm")
    violations, blind = [], []
    print("%-14s%-11s%9s%9s%8s%12s%9s" % ("loader", "verb", "requests", "flushes", "images", "violations", "seconds"), flush=True)

    def row(campaign, verb, images, found, seconds):
        control = isinstance(found, str)
        Rows(options.rows).add("%s, %s" % (verb.strip("()"), campaign.loader), "torn writes, FAT" if options.torn else "crash images, FAT", images,
                               found if not control else int(found == "found"), seconds, control)
        print("%-14s%-11s%9d%9d%8d%12s%9.1f" % (campaign.loader, verb, len(campaign.recording.requests) - campaign.recording.begin,
                                                campaign.recording.flushes(), images, found, seconds), flush=True)
    try:
        machine = Guest(options, work)
        for loader in options.loader or ["grub", "systemd-boot", "uboot"]:
            for verb in options.verb or MAIN_VERBS:
                campaign = Campaign(options, work, machine, loader, verb)
                campaign.record()
                images, found, seconds = campaign.run(options.images, options.seed)
                row(campaign, verb, images, len(found), seconds)
                violations += [(loader, *violation) for violation in found]
                if verb == "deploy" and not options.no_controls:
                    campaign.record("no sync")
                    images, found, seconds = campaign.run(options.images, options.seed, control=True)
                    row(campaign, "(no sync)", images, "found" if found else "NOT FOUND", seconds)
                    blind += [] if found else ["no sync with " + loader]
                disk_log.remove(campaign.work)
    finally:
        disk_log.remove(work)
    for loader, point, view, text in violations[:40]:
        print("\n%s, %s, as %s sees it:\n    %s" % (loader, point, view, text[:600]))
    if blind:
        print("\nthe suite is blind to: " + ", ".join(blind))
    return 1 if violations or blind else 0


if __name__ == "__main__":
    sys.exit(main())

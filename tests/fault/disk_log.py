# SPDX-License-Identifier: Apache-2.0
"""Every write and flush that a command makes to a disk, and the disks that a power cut in between can leave.

A file system lies on a loop device, that on a file which qemu-storage-daemon shows through FUSE, and below it blklogwrites keeps each
request in the format of dm-log-writes. No device-mapper, no virtual machine.
"""
import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

MAGIC, FLUSH, FUA, DISCARD, SECTOR = 0x6A736677736872, 1, 2, 4, 512
# How each is made, its smallest useful size, and how it is mounted without its journal.
FILE_SYSTEMS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], 48 << 20, "", "ro,noload"),
    "ext4-writeback": (["mkfs.ext4", "-q", "-F"], 48 << 20, "data=writeback", "ro,noload"),
    "xfs": (["mkfs.xfs", "-q", "-f"], 304 << 20, "nouuid", "ro,norecovery,nouuid"),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 128 << 20, "", "ro,rescue=nologreplay"),
}


def do(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError("%s: exit status %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout.strip()


def copy(source, target):
    """As another file than the one that was there. Another namespace of mounts, made while that was mounted, may still have it mounted:
    mount(8) would take the same loop device again, and the kernel what it has cached."""
    do("cp", "--sparse=always", "--remove-destination", source, target)


def alone():
    """Starts the program again in a mount namespace of its own: nobody else's new one then has copies of its mounts, which keep them."""
    if os.environ.get("HOSTAPP_ALONE") != "1":
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], dict(os.environ, HOSTAPP_ALONE="1"))


@contextlib.contextmanager
def mounted(disk, folder, options="", part=()):
    """A file that is a disk, or `part` of it (offset and size), mounted through a loop device of its own, which is gone at the end: the next
    one sees the file as it then is."""
    where = ["--offset", str(part[0]), "--sizelimit", str(part[1])] if part else []
    loop = do("losetup", *where, "-f", "--show", disk)
    try:
        do("mount", "-o", options or "defaults", loop, folder)
        try:
            yield folder
        finally:
            do("umount", folder)
    finally:
        do("losetup", "-d", loop)
        deadline = time.monotonic() + 60
        while backing(loop) == os.path.realpath(disk):  # a process of ours, in a namespace of its own, is still ending
            if time.monotonic() > deadline:
                raise RuntimeError("%s is still in use" % loop)
            time.sleep(0.01)


def backing(loop):
    try:
        with open("/sys/block/%s/loop/backing_file" % os.path.basename(loop), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


class Recording:
    """What a command did to a disk: `base`, an image, and `requests` after it, of which the first `begin` came before the command."""

    def __init__(self, base, requests, begin):
        self.base, self.requests, self.begin = base, requests, begin

    def flushes(self):
        return sum(bool(flags & FLUSH) for _, _, flags in self.requests[self.begin:])


def header_of(file):
    """(requests, bytes of a sector)."""
    magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
    if magic != MAGIC or version != 1:
        raise RuntimeError("no log of writes: " + file.name)
    return count, sector


def read_log(path):
    """[(offset, data, flags), …]; what was discarded are zeros."""
    with open(path, "rb") as file:
        count, sector = header_of(file)
        requests, at = [], sector
        for _ in range(count):
            file.seek(at)
            start, length, flags, _ = struct.unpack("<QQQQ", file.read(32))
            file.seek(at + sector)
            discard = bool(flags & DISCARD)
            data = bytes(length * sector) if discard else file.read(length * sector)
            requests.append((start * sector, data, flags))
            at += sector + (0 if discard else length * sector)
    return requests


def count_of(path):
    with open(path, "rb") as file:
        # The header is written at a flush; XFS needs none to be mounted.
        return header_of(file)[0] if any(file.peek(8)[:8]) else 0


def record(work, kind, fill, command):
    """`fill` and `command` are called with the folder where the file system is mounted; only what `command` does is replayed later."""
    make, size, options, _ = FILE_SYSTEMS[kind]
    os.makedirs(work, exist_ok=True)
    disk, log, shown, base, folder = (os.path.join(work, name) for name in ("disk", "log", "shown", "base", "mount"))
    for name in (disk, log, shown):
        with open(name, "wb"):
            pass
    os.truncate(disk, size)
    os.truncate(log, 4 << 30)
    os.makedirs(folder, exist_ok=True)
    do(*make, disk)
    with mounted(disk, folder, options):
        fill(folder)
    copy(disk, base)
    daemon = subprocess.Popen(
        ["qemu-storage-daemon", "--blockdev", "driver=file,node-name=d0,filename=" + disk, "--blockdev", "driver=raw,node-name=d,file=d0",
         "--blockdev", "driver=file,node-name=l0,filename=" + log,
         "--blockdev", "driver=blklogwrites,node-name=lw,file=d,log=l0,log-sector-size=512",
         "--export", "type=fuse,id=e,node-name=lw,mountpoint=%s,writable=on" % shown], stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if os.path.getsize(shown):
                break
            time.sleep(0.05)
        with mounted(shown, folder, options):
            do("sync", "-f", folder)
            begin = count_of(log)
            command(folder)
            do("sync", "-f", folder)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
    requests = read_log(log)
    os.remove(log)
    os.remove(disk)
    return Recording(base, requests, begin)


class Image:
    """A disk that is brought from one moment of a recording to a later one."""

    def __init__(self, recording, path):
        self.recording, self.path = recording, path
        copy(recording.base, path)
        self.file = os.open(path, os.O_RDWR)
        self.at = 0     # requests that are on it
        self.epoch = []  # those since the last flush, with what was there before

    def close(self):
        os.close(self.file)
        os.remove(self.path)

    def go(self, count):
        """All of the first `count` requests are on it."""
        while self.at < count:
            offset, data, flags = self.recording.requests[self.at]
            if flags & FLUSH:
                self.epoch = []
            if data:
                self.epoch.append((offset, data, flags, os.pread(self.file, len(data), offset)))
                os.pwrite(self.file, data, offset)
            self.at += 1

    def lose(self, keep):
        """Of the requests since the last flush only those that `keep` says are on it, for as long as the block runs."""
        return Lost(self, [bool(kept or flags & FUA) for kept, (_, _, flags, _) in zip(keep, self.epoch)])

    def cut(self, how):
        """The disk as a point of crash_points() says, for as long as the block runs."""
        everything = [True] * len(self.epoch)
        return Lost(self, everything, torn=how) if isinstance(how, int) else self.lose(how or everything)

    def snapshot(self, path):
        copy(self.path, path)


class Lost:
    def __init__(self, image, keep, torn=None):
        self.image, self.keep, self.torn = image, keep, torn

    def __enter__(self):
        for offset, _, _, before in reversed(self.image.epoch):
            os.pwrite(self.image.file, before, offset)
        for kept, (offset, data, _, _) in zip(self.keep, self.image.epoch):
            if kept:
                os.pwrite(self.image.file, data, offset)
        if self.torn:
            offset, _, _, before = self.image.epoch[-1]
            os.pwrite(self.image.file, before[self.torn:], offset + self.torn)

    def __exit__(self, *_):
        for offset, data, _, _ in self.image.epoch:
            os.pwrite(self.image.file, data, offset)


def told(how):
    """Of a point of crash_points(), what is more than a cut between two writes."""
    return "" if how is None else ", torn after %d bytes" % how if isinstance(how, int) else ", some lost"


def crash_points(recording, images, seed, torn=False):
    """At most `images` moments: (requests, None) is a cut after so many, (requests, keep) one that lost some of those that no flush had
    covered, (requests, bytes) one in the middle of the last request."""
    chance = random.Random(seed)
    total = len(recording.requests)
    prefixes = [(count, None) for count in range(recording.begin, total + 1)]
    if len(prefixes) > images // 2:
        prefixes = [prefixes[index] for index in sorted(chance.sample(range(len(prefixes)), max(1, images // 2)))]
    others = []
    sizes = {}
    waiting = 0
    for count in range(total):
        waiting = (0 if recording.requests[count][2] & FLUSH else waiting) + bool(recording.requests[count][1])
        sizes[count + 1] = waiting
    candidates = [count for count in range(recording.begin + 1, total + 1) if sizes[count] > 1]
    while candidates and len(prefixes) + len(others) < images:
        count = chance.choice(candidates)
        if torn and chance.random() < 0.3 and len(recording.requests[count - 1][1]) > SECTOR:
            length = len(recording.requests[count - 1][1])
            others.append((count, chance.randrange(1, length // SECTOR) * SECTOR))
        else:
            share = chance.choice((0.1, 0.5, 0.9))
            others.append((count, [chance.random() < share for _ in range(sizes[count])]))
    return sorted(prefixes + others, key=lambda point: point[0])


def lost_alone(recording, begin, end):
    """Moments right before a flush at which a single write between these two places of the disk is lost: (requests, keep) as above."""
    waiting = []  # those since the last flush: whether it lies there
    for count, (offset, data, flags) in enumerate(recording.requests):
        if flags & FLUSH:
            if count > recording.begin and len(waiting) > 1:
                for lost in (index for index, there in enumerate(waiting) if there):
                    yield count, [index != lost for index in range(len(waiting))]
            waiting = []
        if data:
            waiting.append(begin <= offset < end)


def remove(work):
    shutil.rmtree(work, ignore_errors=True)

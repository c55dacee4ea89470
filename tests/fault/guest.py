# SPDX-License-Identifier: Apache-2.0
"""A virtual machine's disk whose every write is kept, as disk_log.py keeps a loop device's, and where in it the guest was with its work."""
import os
import re
import subprocess
import time

# A block between the partition table and the first partition. Written past the cache and without a flush, a mark orders nothing; of less
# than 4096 bytes the guest's kernel would keep it in its cache.
MARK_AT, MARK_BYTES = 5 * 4096, 4096
MARK = "mark() { printf '%%-%ds\\n' \"$*\" | dd of=/dev/vda bs=%d seek=%d count=1 iflag=fullblock oflag=direct 2>/dev/null; }\n" % (
    MARK_BYTES - 1, MARK_BYTES, MARK_AT // MARK_BYTES)

# In front of a virtual machine's command: it ends with the thread that started it, if that is killed.
WITH_US = ["setpriv", "--pdeathsig", "KILL"]


def logged_drive(disk, log):
    """QEMU's options for the first disk. `log` is made anew; its count is written with each request, for a machine that is killed."""
    with open(log, "wb") as file:
        file.truncate(64 << 30)
    return ["-blockdev", "driver=file,node-name=d0,filename=" + disk, "-blockdev", "driver=raw,node-name=d,file=d0",
            "-blockdev", "driver=file,node-name=l0,filename=" + log,
            "-blockdev", "driver=blklogwrites,node-name=lw,file=d,log=l0,log-sector-size=512,log-super-update-interval=1",
            "-device", "virtio-blk-pci,drive=lw"]


def marks(requests):
    """[(requests before it, text), …]."""
    return [(count, data.split(b"\n")[0].decode(errors="replace").strip()) for count, (offset, data, _) in enumerate(requests)
            if offset == MARK_AT and data]


def until(command, pattern, seconds):
    """What a virtual machine says on its console until that matches, ends by itself or the time is up; then it is killed."""
    machine = subprocess.Popen([*WITH_US, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.set_blocking(machine.stdout.fileno(), False)
    said, end = b"", time.monotonic() + seconds
    try:
        while not re.search(pattern, said) and machine.poll() is None and time.monotonic() < end:
            said += machine.stdout.read() or b""
            time.sleep(0.02)
    finally:
        machine.kill()
        machine.wait()
    return (said + (machine.stdout.read() or b"")).decode(errors="replace")

# SPDX-License-Identifier: Apache-2.0
"""The ways in which one system call of a program goes wrong, as killat does them."""
import errno

SYNCS = {74: "fsync", 75: "fdatasync", 162: "sync", 306: "syncfs"}
WRITES = {1: "write", 18: "pwrite64", 20: "writev", 40: "sendfile", 296: "pwritev", 326: "copy_file_range"}
OTHER, NO_SPACE = 1, 7  # exit statuses of hostapp


class Fault:
    """`flags`: of killat, beside -n. `ends`: exit statuses that the program may have, None: any. `calls`: only these. `quick`: every
    n-th call stands for all."""

    def __init__(self, name, flags, ends, quick=1, calls=None):
        self.name, self.flags, self.ends, self.quick, self.calls = name, flags, ends, quick, calls

    def at(self, number):
        return ["-n", str(number), *self.flags]

    def points(self, calls, stride):
        """The numbers of the calls worth a run of their own.

        A killed program leaves what it wrote whether it was synced or not: to be killed before a call that follows a sync is to be killed
        before that sync. Of a run of syncs that is made to fail, the first, the last and every 32nd stand for all."""
        numbers = []
        for number in range(1, len(calls) + 1):
            synced = number > 1 and calls[number - 2] in SYNCS
            within = synced and calls[number - 1] in SYNCS and number < len(calls) and calls[number] in SYNCS
            if self.calls and calls[number - 1] not in self.calls or synced and self is KILL or within and number % 32:
                continue
            numbers.append(number)
        return numbers[::stride]


def failing(name, ends, quick, *more):
    return Fault(name + " from here on" * bool(more), [*more, "-e", str(getattr(errno, name))], ends, quick)


KILL = Fault("kill", [], None)
# No space is what happens most; the others take the same ways out.
FAILURES = [
    failing("ENOSPC", {0, OTHER, NO_SPACE}, 1),
    failing("EIO", {0, OTHER}, 4),
    failing("EROFS", {0, OTHER}, 8),
    failing("EDQUOT", {0, OTHER, NO_SPACE}, 8),
    failing("EINTR", {0, OTHER}, 8),
    failing("ENOSPC", {0, OTHER, NO_SPACE}, 8, "-s"),
    Fault("short write", ["-w"], {0}, 2, WRITES),
]

# SPDX-License-Identifier: Apache-2.0
"""Runs programs and says what they used: a process of its own, as a child's peak begins at its parent's size.

Reads [argv, out file, err file] as a line of JSON for each program; answers [status, peak in KiB, seconds].
"""
import json
import os
import sys

for line in sys.stdin:
    argv, out, err = json.loads(line)
    pid = os.fork()
    if pid == 0:
        for number, path, flags in ((0, "/dev/null", os.O_RDONLY), (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
                                    (2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
            os.dup2(os.open(path, flags, 0o600), number)
        os.closerange(3, 64)
        os.execvp(argv[0], argv)
    _, status, usage = os.wait4(pid, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime]), flush=True)

# SPDX-License-Identifier: Apache-2.0
"""The fs-verity digest of a file: SHA-256, blocks of 4096 bytes, no salt (Linux, Documentation/filesystems/fsverity.rst)."""
import hashlib

BLOCK = 4096


def hashes_of(data):
    return b"".join(hashlib.sha256(data[at:at + BLOCK].ljust(BLOCK, b"\0")).digest() for at in range(0, len(data), BLOCK))


def digest(files, name):
    """For once()."""
    data = files.read(name)
    level = hashes_of(data)
    while len(level) > 32:
        level = hashes_of(level)
    descriptor = bytes([1, 1, 12, 0]) + bytes(4) + len(data).to_bytes(8, "little") + level.ljust(64, b"\0") + bytes(32 + 144)
    return hashlib.sha256(descriptor).hexdigest()

# SPDX-License-Identifier: Apache-2.0
"""The boot ledger, from its description (docs/formats-ledger.md)."""
import struct

SLOT, MAGIC, PAYLOAD = 4096, b"HALEDGER", 2736


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Record:
    """A valid slot's fields."""

    def __init__(self, slot):
        def number(at, size):
            return int.from_bytes(slot[at:at + size], "little")

        def deployment(at):
            return {"serial": number(at, 8), "boot_set": slot[at + 8:at + 40].hex(), "has_digest": slot[at + 72] == 1,
                    "digest": slot[at + 40:at + 72].hex()}
        self.generation = number(16, 8)
        self.default, self.previous, self.trial = deployment(24), deployment(104), deployment(184)
        self.floor = number(392, 8)

    def named(self):
        return [entry for entry in (self.default, self.previous, self.trial) if entry["serial"]]


def record_of(slot):
    """None: the slot is not valid."""
    version, length = struct.unpack_from("<II", slot, 8)
    if slot[:8] != MAGIC or version != 1 or not PAYLOAD <= length <= 4092 - 24:
        return None
    if struct.unpack_from("<I", slot, 4092)[0] != crc32c(slot[:4092]):
        return None
    return Record(slot)


def read(files, name):
    """For once(): the newest record, or None; and how many of the two slots are valid."""
    data = files.read(name)
    records = [record_of(data[at:at + SLOT]) for at in (0, SLOT) if len(data) >= at + SLOT]
    valid = [record for record in records if record]
    return max(valid, key=lambda record: record.generation, default=None), len(valid)

# SPDX-License-Identifier: Apache-2.0
"""As much of GVariant as OSTree's objects are made of: tuples and arrays, little-endian framing offsets."""


class Damaged(Exception):
    """What is on the disk is not what the format allows."""


def offset_size(total):
    return next(size for size in (1, 2, 4, 8) if total < 1 << (8 * size))


def numbers(data, start, size):
    return [int.from_bytes(data[at:at + size], "little") for at in range(start, len(data), size)]


def array(data):
    """The elements of an array of variable size."""
    if not data:
        return []
    size = offset_size(len(data))
    end = int.from_bytes(data[-size:], "little")
    if end > len(data) or (len(data) - end) % size:
        raise Damaged("an array with bad offsets")
    ends = numbers(data, end, size)
    if ends != sorted(ends):
        raise Damaged("an array with bad offsets")
    return [data[start:stop] for start, stop in zip([0] + ends, ends)]


def members(data, kinds):
    """The members of a tuple. `kinds`: "v" of variable size, "t" a 64-bit number."""
    size = offset_size(len(data))
    framed = sum(kind != "t" for kind in kinds) - (kinds[-1] != "t")
    at, out, last = 0, [], len(data) - framed * size
    for index, kind in enumerate(kinds):
        if kind == "t":
            at = (at + 7) // 8 * 8
            end = at + 8
        elif index == len(kinds) - 1:
            end = last
        else:
            mark = len(data) - size * (1 + sum(k != "t" for k in kinds[:index]))
            end = int.from_bytes(data[mark:mark + size], "little")
        if not at <= end <= last:
            raise Damaged("a tuple with bad offsets")
        out.append(data[at:end])
        at = end
    return out


def with_offsets(data, ends, reverse):
    """The serialized members with their framing offsets behind them, of the smallest size that does."""
    for size in (1, 2, 4, 8):
        if len(data) + size * len(ends) < 1 << (8 * size):
            return data + b"".join(end.to_bytes(size, "little") for end in (reversed(ends) if reverse else ends))
    raise Damaged("too large")


def make_array(elements):
    ends, data = [], b""
    for element in elements:
        data += element
        ends.append(len(data))
    return with_offsets(data, ends, reverse=False) if elements else b""


def make_pair(first, second):
    return with_offsets(first + second, [len(first)], reverse=True)

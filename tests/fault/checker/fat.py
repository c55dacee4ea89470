# SPDX-License-Identifier: Apache-2.0
"""A FAT32 as a boot loader reads it: what the folders say now, whatever was to be written next. For mtools one folder that leads in a circle
is the end; a loader that does not look there does not mind."""
import errno
import mmap
import stat

FOLDER, LABEL, LONG_NAME = 0x10, 0x08, 0x0F
END = 0x0FFFFFF8


class Fat:
    def __init__(self, path, offset):
        with open(path, "rb") as file:
            self.disk = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.at = offset
        sector, per_cluster, reserved, fats = self.number(11, 2), self.number(13, 1), self.number(14, 2), self.number(16, 1)
        self.cluster = sector * per_cluster
        self.table = reserved * sector
        self.clusters = self.number(36, 4) * sector // 4
        self.data = self.table + fats * self.number(36, 4) * sector
        self.root = self.number(44, 4)

    def bytes(self, at, count):
        return self.disk[self.at + at:self.at + at + count]

    def number(self, at, count):
        return int.from_bytes(self.bytes(at, count), "little")

    def numbers(self, first):
        """The clusters from there on, as far as it leads; and where it leads then: END or more, 0 (a free one), or to where it never may."""
        found = {}  # in order
        while 2 <= first < min(END, self.clusters) and first not in found:
            found[first] = True
            first = self.number(self.table + 4 * first, 4) & 0x0FFFFFFF
        return list(found), first

    def chain(self, first, most):
        """The bytes of the clusters from there on, no more than `most`; as far as it leads."""
        found = self.numbers(first)[0][:-(-most // self.cluster)]
        return b"".join(self.bytes(self.data + (number - 2) * self.cluster, self.cluster) for number in found)[:most]

    def folder(self, first):
        """{name: (is a folder, first cluster, bytes)}; nothing where the folder has no cluster."""
        found, parts = {}, []
        data = self.chain(first, 1 << 21)
        for at in range(0, len(data), 32):
            entry = data[at:at + 32]
            if entry[0] == 0:
                break
            if entry[0] == 0xE5:
                parts = []
            elif entry[11] == LONG_NAME:
                parts.append(entry)
            else:
                if not entry[11] & LABEL and entry[0] != ord("."):
                    first = int.from_bytes(entry[20:22], "little") << 16 | int.from_bytes(entry[26:28], "little")
                    found[long_name(parts, entry[:11]) or short_name(entry)] = (
                        bool(entry[11] & FOLDER), first, int.from_bytes(entry[28:32], "little"))
                parts = []
        return found

    def folders(self, first):
        """How many entries of a folder are folders, itself and the one above among them."""
        count, data = 0, self.chain(first, 1 << 21)
        for at in range(0, len(data), 32):
            entry = data[at:at + 32]
            if entry[0] == 0:
                break
            count += bool(entry[0] != 0xE5 and entry[11] != LONG_NAME and entry[11] & FOLDER)
        return count


def short_name(entry):
    base, extension = (entry[:8].decode("cp437").rstrip(), entry[8:11].decode("cp437").rstrip())
    base = base.lower() if entry[12] & 0x08 else base
    extension = extension.lower() if entry[12] & 0x10 else extension
    return base + ("." + extension if extension else "")


def long_name(parts, short):
    """"": there is none that belongs to that short name."""
    total = 0
    for byte in short:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    numbers = [part[0] & 0x3F for part in parts]
    if not parts or not parts[0][0] & 0x40 or numbers != list(range(len(parts), 0, -1)) or any(part[13] != total for part in parts):
        return ""
    text = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(parts)).decode("utf-16-le", "replace")
    return text.partition("\0")[0]


class FatFolder:
    """The methods of files.Folder."""

    def __init__(self, fat):
        self.fat = fat

    def entry(self, name):
        found = (True, self.fat.root, 0)
        for word in filter(None, name.split("/")):
            inside = {key.lower(): value for key, value in self.fat.folder(found[1]).items()} if found and found[0] else {}
            found = inside.get(word.lower())
        return found

    def must(self, name):
        found = self.entry(name)
        if found is None:
            raise OSError(errno.ENOENT, "no such file or folder", name)
        return found

    def read(self, name):
        is_folder, first, size = self.must(name)
        data = self.fat.chain(first, size)
        if is_folder or len(data) < size:
            raise OSError(errno.EIO, "its clusters end after %d of %d bytes" % (len(data), size), name)
        return data

    def names(self, name):
        found = self.entry(name)
        return sorted(self.fat.folder(found[1])) if found and found[0] else []

    def exists(self, name):
        return self.entry(name) is not None

    def is_folder(self, name):
        return bool((self.entry(name) or (False,))[0])

    def facts(self, name):
        return 0, stat.S_IFDIR | 0o755 if self.must(name)[0] else stat.S_IFREG | 0o644, 0, 0

    def once(self, function, name):
        return function(self, name)

    def below(self, folder=""):
        for name in self.names(folder):
            path = "%s/%s" % (folder, name)
            yield path
            if self.is_folder(path):
                yield from self.below(path)

    def shared(self):
        """Pairs of names on the same clusters: a file that was renamed, by a disk that had one of two sectors only. When one is removed, the
        clusters of the other are free."""
        owner = {}
        for path in self.below():
            for number in self.fat.numbers(self.entry(path)[1])[0][:1]:
                if number in owner:
                    yield owner[number], path
                owner[number] = path

    def refused(self, folder=""):
        """I5: Linux refuses a folder without a cluster of its own or without entries for itself and the one above (fat_validate_dir), and what
        lies on clusters that are free; then it makes the whole file system read-only, and no program can remove it."""
        for name in self.names(folder):
            path = "%s/%s" % (folder, name)
            is_folder, first, size = self.entry(path)
            if is_folder and first in (0, self.fat.root):
                yield "I5", "the folder %s has no cluster: Linux will refuse it" % path
                continue
            if is_folder and self.fat.folders(first) < 2:
                yield "I5", "the folder %s has no . and ..: Linux will refuse it" % path
                continue
            clusters, last = self.fat.numbers(first)
            if (first or size) and (last < END or not is_folder and len(clusters) * self.fat.cluster < size):
                yield "I5", "%s: after %d clusters it leads to a free one: Linux will refuse it" % (path, len(clusters))
            elif is_folder:
                yield from self.refused(path)


def open_fat(place):
    """Of "FILE@@OFFSET", as mtools have it."""
    path, _, offset = place.rpartition("@@")
    return FatFolder(Fat(path, int(offset)))

# SPDX-License-Identifier: Apache-2.0
"""A disk that keeps no more than POSIX says it must, and all that a power cut may leave of it.

What a sync has covered is there. Of what came after it each operation is there or is not, whatever the order in which they were made: a name
created, moved or removed (a rename whole or not at all), a mode or an owner. Unsynced bytes are there, end halfway at a sector, or are not
there, and are zeros where the file has grown. fsync of a file keeps its bytes and facts, fdatasync its bytes, neither of them its name; fsync of a folder its names; syncfs all."""
import os
import random
import stat

from call_log import Data, Facts, Names, Sync
from files import Folder

SECTOR = 512
KINDS = {"file": stat.S_IFREG, "folder": stat.S_IFDIR, "link": stat.S_IFLNK}
ROOT, NOTHING = 0, {}


class Disk:
    """Everything applied: what the program sees. Inodes are numbers."""

    def __init__(self):
        self.entries, self.contents, self.facts = {}, {}, {}
        self.next = ROOT

    def copy(self):
        disk = Disk()
        disk.entries = {inode: dict(names) for inode, names in self.entries.items()}
        disk.contents, disk.facts = dict(self.contents), {inode: dict(facts) for inode, facts in self.facts.items()}
        disk.next = self.next
        return disk

    @staticmethod
    def of(path):
        """The folder `path`, all of it durable."""
        disk, known = Disk(), {}
        disk.take(Folder(path), "", known)
        return disk

    def take(self, files, name, known):
        number, mode, owner, group = files.facts(name)
        if number in known:
            return known[number]
        kind = next(kind for kind, bits in KINDS.items() if stat.S_IFMT(mode) == bits)
        inode = known[number] = self.new(kind, stat.S_IMODE(mode))
        self.facts[inode].update(files.xattrs(name), owner=(owner, group))
        if kind == "folder":
            for below in files.names(name):
                self.entries[inode][below] = self.take(files, os.path.join(name, below), known)
        else:
            self.contents[inode] = files.target(name) if kind == "link" else files.read(name)
        return inode

    def new(self, kind, mode, content=b""):
        inode, self.next = self.next, self.next + 1
        self.facts[inode] = {"kind": kind, "mode": mode, "owner": (os.geteuid(), os.getegid())}
        if kind == "folder":
            self.entries[inode] = {}
        else:
            self.contents[inode] = content
        return inode

    def look(self, folder, name):
        return self.entries[folder].get(name)

    def find(self, path):
        inode = ROOT
        for part in path.split("/") if path else ():
            inode = self.entries[inode][part]
        return inode

    def apply(self, operation):
        if isinstance(operation, Names):
            rename(self.entries, operation)
        elif isinstance(operation, Data):
            self.contents[operation.inode] = write(self.contents[operation.inode], operation)
        elif isinstance(operation, Facts):
            self.facts[operation.inode][operation.key] = operation.value

    def differences(self, path):
        """What is otherwise in the folder `path`: an operation has been overlooked."""
        return [name for name, (mine, its) in pairs(listing(self), listing(Disk.of(path))).items() if mine != its]


def listing(disk):
    found, todo = {}, [("", ROOT)]
    while todo:
        path, inode = todo.pop()
        facts = {key: value for key, value in disk.facts[inode].items() if value is not None}
        found[path] = facts, disk.contents.get(inode)
        todo += [(os.path.join(path, name), child) for name, child in disk.entries.get(inode, {}).items()]
    return found


def pairs(one, other):
    return {name: (one.get(name), other.get(name)) for name in sorted(one.keys() | other.keys())}


def rename(entries, operation):
    moved = operation.changes[-1][2]
    for folder, name, inode in operation.changes:
        if inode is not None:
            entries[folder][name] = inode
        elif len(operation.changes) == 1 or entries[folder].get(name) == moved:
            entries[folder].pop(name, None)


def renamed(entries, operation, copied):
    """The same, where the folders are others' too. `copied`: those that are no longer."""
    for folder, _, _ in operation.changes:
        if folder not in copied:
            copied.add(folder)
            entries[folder] = dict(entries[folder])
    rename(entries, operation)


def write(content, operation):
    if operation.offset is None:
        return content[:operation.size].ljust(operation.size, b"\0")
    return content[:operation.offset].ljust(operation.offset, b"\0") + operation.data + content[operation.offset + len(operation.data):]


def apply_all(content, operations):
    for operation in operations:
        content = write(content, operation)
    return content


def zeros(content, operations):
    """The size is there, the bytes that are new to the file are not."""
    now = apply_all(content, operations)
    return now[:len(content)].ljust(len(now), b"\0")


def torn(content, operations):
    """The last write ends in the middle, at a sector where it is in place of something."""
    *whole, last = operations
    content = apply_all(content, whole)
    if last.offset is None:
        return write(content, last)
    half = len(last.data) // 2
    if half > SECTOR or last.offset + half < len(content):
        half -= half % SECTOR
    return write(content, Data(last.inode, last.offset, last.data[:half], None))


# What is left of the unsynced bytes of a file.
LEFT = {"all": apply_all, "nothing": lambda content, operations: content, "zeros": zeros, "torn": torn}


class Left:
    """A disk after a power cut, read like a files.Folder."""

    def __init__(self, entries, contents, facts, memory, prefix="", folders=None):
        self.entries, self.contents, self.inodes, self.memory, self.prefix = entries, contents, facts, memory, prefix
        self.folders = {"": ROOT} if folders is None else folders

    def below(self, name):
        return Left(self.entries, self.contents, self.inodes, self.memory, self.prefix + name + "/", self.folders)

    def find(self, name):
        return self.resolve(self.prefix + name)

    def resolve(self, path):
        above, _, last = path.rpartition("/")
        if above not in self.folders:
            self.folders[above] = self.resolve(above)
        above = self.folders[above]
        return self.entries.get(above, NOTHING).get(last) if last else above

    def must(self, name):
        inode = self.find(name)
        if inode is None:
            raise FileNotFoundError(2, "No such file or directory", name)
        return inode

    def read(self, name):
        return self.contents[self.must(name)]

    target = read

    def names(self, name):
        names = self.entries.get(self.find(name), NOTHING)
        if id(names) not in self.memory:
            self.memory[id(names)] = sorted(names), names
        return self.memory[id(names)][0]

    def exists(self, name):
        return self.find(name) is not None

    def is_folder(self, name):
        return self.find(name) in self.entries

    def facts(self, name):
        inode = self.must(name)
        facts = self.inodes[inode]
        return inode, KINDS[facts["kind"]] | facts["mode"], *facts["owner"]

    def xattrs(self, name):
        return {key: value for key, value in self.inodes[self.must(name)].items() if key not in ("kind", "mode", "owner") and value is not None}

    def once(self, function, name):
        inode = self.must(name)
        # The objects are the same ones for the same state of an inode; they live as long as the memory.
        key = function, id(self.contents.get(inode)), id(self.inodes[inode])
        if key not in self.memory:
            self.memory[key] = function(self, name), self.contents.get(inode), self.inodes[inode]
        return self.memory[key][0]

    def materialize(self, folder):
        """The folder does not exist yet."""
        made = {}
        todo = [(folder, ROOT)]
        while todo:
            path, inode = todo.pop()
            facts = self.inodes[inode]
            if inode in made:
                os.link(made[inode], path, follow_symlinks=False)
                continue
            if facts["kind"] == "link":
                os.symlink(self.contents[inode], path)
            elif facts["kind"] == "file":
                with open(path, "wb") as file:
                    file.write(self.contents[inode])
            else:
                os.mkdir(path)
                todo += [(os.path.join(path, name), child) for name, child in self.entries[inode].items()]
            if facts["kind"] != "folder":
                made[inode] = path
            if facts["owner"] != (os.geteuid(), os.getegid()):
                os.lchown(path, *facts["owner"])
            for key, value in facts.items():
                if key not in ("kind", "mode", "owner") and value is not None:
                    os.setxattr(path, key, value, follow_symlinks=False)
            if facts["kind"] != "link":
                os.chmod(path, facts["mode"])


class PowerCuts:
    """The states that a power cut can leave while `operations` are done to the Disk `before`, which knows the inodes that are made meanwhile
    as they are born. `memory` is kept from one to the next of the same `before`."""

    def __init__(self, before, operations, memory):
        disk = before.copy()
        self.entries, self.contents, self.facts = disk.entries, disk.contents, disk.facts
        self.operations = operations
        self.memory, self.made = memory, {}
        self.window = []  # [operation, durable]: what no folder or file has for sure

    def points(self):
        """Yields the number of operations done before each sync, and of all; states() is then about that moment."""
        for number, operation in enumerate(self.operations):
            if isinstance(operation, Sync):
                yield number
                self.sync(operation)
            else:
                self.window.append([operation, False])
        yield len(self.operations)

    def sync(self, sync):
        for entry in self.window:
            operation = entry[0]
            if sync.inode is None:
                entry[1] = True
            elif isinstance(operation, Names):
                entry[1] |= any(folder == sync.inode for folder, _, _ in operation.changes)
            elif operation.inode == sync.inode:
                entry[1] |= isinstance(operation, Data) or sync.facts
        while self.window and self.window[0][1]:
            self.fold(self.window.pop(0)[0])

    def fold(self, operation):
        if isinstance(operation, Names):
            self.entries = dict(self.entries)
            renamed(self.entries, operation, set())
        elif isinstance(operation, Data):
            self.contents[operation.inode] = self.content(operation.inode, [operation], "all")
        else:
            self.facts[operation.inode] = self.fact(operation.inode, [operation])

    def content(self, inode, operations, how):
        """The same object for the same bytes of an inode: what is known of it stays known."""
        before = self.contents[inode]
        key = inode, id(before), tuple(map(id, operations)), how
        if key not in self.made:
            self.made[key] = LEFT[how](before, operations), before
        return self.made[key][0]

    def fact(self, inode, operations):
        before = self.facts[inode]
        key = inode, id(before), tuple(map(id, operations))
        if key not in self.made:
            self.made[key] = dict(before, **{operation.key: operation.value for operation in operations}), before
        return self.made[key][0]

    def pending(self):
        """(indexes of names and facts that may be lost, inodes whose bytes may be)."""
        loose = [index for index, (operation, durable) in enumerate(self.window) if not durable and not isinstance(operation, Data)]
        return loose, sorted({operation.inode for operation, durable in self.window if not durable and isinstance(operation, Data)})

    def count(self):
        """Of the states of this moment."""
        loose, files = self.pending()
        return 2 ** len(loose) * len(LEFT) ** len(files)

    def choices(self, most, chance):
        """Sets of what is lost and how bytes are left, each once: all of them if they are few, or else the plain ones and a sample."""
        loose, files = self.pending()
        hows = list(LEFT)
        if self.count() <= most:
            for number in range(self.count()):
                lost = frozenset(index for bit, index in enumerate(loose) if number >> bit & 1)
                rest, how = number >> len(loose), {}
                for inode in files:
                    rest, how[inode] = rest // len(LEFT), hows[rest % len(LEFT)]
                yield lost, how
            return
        seen = set()

        def once(lost, how):
            key = frozenset(lost), tuple(how.values())
            if key in seen:
                return False
            seen.add(key)
            return True
        plain = []
        for how in hows:
            plain.append(((), dict.fromkeys(files, how)))
            plain.append((loose, dict.fromkeys(files, how)))
            plain += [([index], dict.fromkeys(files, how)) for index in loose]
            plain += [([other for other in loose if other != index], dict.fromkeys(files, how)) for index in loose]
            plain += [([other for other in loose if other > index], dict.fromkeys(files, how)) for index in loose]
        chance.shuffle(plain)
        for lost, how in plain[:most]:
            if once(lost, how):
                yield frozenset(lost), how
        for _ in range(2 * most):
            if len(seen) >= most:
                return
            share = chance.random()
            lost, how = [index for index in loose if chance.random() < share], {inode: chance.choice(hows) for inode in files}
            if once(lost, how):
                yield frozenset(lost), how

    def left(self, lost, how):
        """(the disk, what makes it different from others at this point)."""
        entries, touched, contents, facts = dict(self.entries), set(), {}, {}
        for index, (operation, durable) in enumerate(self.window):
            if isinstance(operation, Data):
                contents.setdefault(operation.inode, ([], []))[0 if durable else 1].append(operation)
            elif index in lost:
                continue
            elif isinstance(operation, Names):
                renamed(entries, operation, touched)
            else:
                facts.setdefault(operation.inode, []).append(operation)
        bytes_now, facts_now = dict(self.contents), dict(self.facts)
        for inode, (kept, loose) in contents.items():
            now = self.content(inode, kept, "all") if kept else self.contents[inode]
            if loose:
                key = inode, id(now), tuple(map(id, loose)), how[inode]
                if key not in self.made:
                    self.made[key] = LEFT[how[inode]](now, loose), now
                now = self.made[key][0]
            bytes_now[inode] = now
        for inode, operations in facts.items():
            facts_now[inode] = self.fact(inode, operations)
        same = (frozenset((folder, name, inode) for folder in touched for name, inode in entries[folder].items()),
                frozenset((inode, id(bytes_now[inode])) for inode in contents), frozenset((inode, id(facts_now[inode])) for inode in facts))
        return Left(entries, bytes_now, facts_now, self.memory), same

    def states(self, most, seed):
        """Yields (lost, disk, key) of at most so many states of this moment, each another one; equal keys are equal disks."""
        for lost, how in self.choices(most, random.Random(seed)):
            disk, key = self.left(lost, how)
            yield (sorted(lost), how), disk, key

    def describe(self, lost, how):
        said = ["%s lost" % say(self.window[index][0]) for index in lost]
        return ", ".join(said + ["bytes of %d: %s" % (inode, left) for inode, left in how.items() if left != "all"]) or "nothing lost"


def say(operation):
    if isinstance(operation, Names):
        return " → ".join(("-" if inode is None else "") + name for _, name, inode in operation.changes)
    return "%s of %d" % (operation.key, operation.inode)

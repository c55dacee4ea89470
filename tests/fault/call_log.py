# SPDX-License-Identifier: Apache-2.0
"""What a program did to a folder, system call by system call, as operations on inodes: from strace, so its libraries' and children's
calls are there, too. That none was overlooked is seen at the end: the operations must lead to what is on the disk."""
import os
import re
import subprocess
import tempfile

CALLS = ("openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,truncate,ftruncate,fallocate,fsync,fdatasync,sync,syncfs,"
         "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat,"
         "chown,fchown,lchown,fchownat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,ioctl,copy_file_range,sendfile,splice")
LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<((?:\\x..)*)>(\(deleted\))?)?")
PLACE = re.compile(r"(AT_FDCWD|\d+)<((?:\\x..)*)>(\(deleted\))?$")
# Of what is left, these change nothing that is looked at.
HARMLESS = {"ioctl"}
UMASK = 0o022


class Names:
    """Names that come, go or change, all at once or not at all: [(folder, name, inode or None)]."""
    __slots__ = ("changes",)

    def __init__(self, changes):
        self.changes = changes


class Data:
    """`offset` None: the size becomes `size`; otherwise bytes are written."""
    __slots__ = ("inode", "offset", "data", "size")

    def __init__(self, inode, offset, data, size):
        self.inode, self.offset, self.data, self.size = inode, offset, data, size


class Facts:
    """`key`: "mode", "owner", or the name of an extended attribute, whose value may be None: removed."""
    __slots__ = ("inode", "key", "value")

    def __init__(self, inode, key, value):
        self.inode, self.key, self.value = inode, key, value


class Sync:
    """`inode` None: the whole file system. `facts`: the mode and the like are on the disk, too."""
    __slots__ = ("inode", "facts")

    def __init__(self, inode, facts):
        self.inode, self.facts = inode, facts


def plain(text):
    return bytes.fromhex(text.replace("\\x", ""))


def arguments(text):
    """Strings have nothing but \\xNN in them: each comma outside of brackets ends an argument."""
    found, depth, begin = [], 0, 0
    for at, letter in enumerate(text):
        if letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth == 0:
            found.append(text[begin:at].strip())
            begin = at + 1
    return [*found, text[begin:].strip()]


def trace(command, **more):
    """(the finished process, its calls as lines). The n-th call is the same in each run."""
    with tempfile.NamedTemporaryFile(mode="r", dir="/dev/shm") as out:
        words = ["strace", "-f", "-y", "-xx", "-s", "67108864", "--seccomp-bpf", "-e", "trace=" + CALLS, "-o", out.name, *command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False, umask=UMASK,
                              env=dict(os.environ, HOSTAPP_JOBS="1"), **more)
        return done, list(joined(out.read().splitlines()))


def joined(lines):
    """What another process interrupted, in one piece."""
    begun = {}
    for line in lines:
        process, _, rest = line.partition(" ")
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest[:-len("<unfinished ...>")]
        elif rest.lstrip().startswith("<..."):
            yield begun.pop(process) + rest.partition("resumed>")[2]
        else:
            yield rest


class Reader:
    """Makes operations of calls below a folder, whose inodes `disk` knows (simulated_disk.Disk); they are applied to it at once. `before`
    is as the disk was, and learns of the inodes that are made as they are born."""

    def __init__(self, disk, root):
        self.disk, self.before, self.root = disk, disk.copy(), os.path.realpath(root)
        self.offsets, self.unnamed = {}, {}
        self.operations = []

    def read(self, lines):
        for line in lines:
            match = LINE.match(line.strip())
            if match and int(match[3]) >= 0:
                words = arguments(match[2])
                done = getattr(self, "do_" + match[1], None)
                if done:
                    done(words, match)
                elif match[1] not in HARMLESS and self.root.encode() in plain("".join(re.findall(r"\\x..", match[2]))):
                    raise RuntimeError("nothing knows what %s does: %s" % (match[1], line[:200]))
        return self.operations

    def add(self, operation):
        self.disk.apply(operation)
        self.operations.append(operation)

    # -- what the words mean

    def inside(self, path):
        """Relative to the folder, or None."""
        if path == self.root:
            return ""
        return path[len(self.root) + 1:] if path.startswith(self.root + "/") else None

    def place(self, folder, name):
        """(inode of the folder, last part) of a name below the folder; (None, …): it is elsewhere."""
        match = PLACE.match(folder)
        path = os.path.normpath(os.path.join(plain(match[2]).decode(), plain(name.strip('"')).decode()))
        inside = self.inside(path)
        if not inside:
            return None, path
        above, _, last = inside.rpartition("/")
        return self.disk.find(above), last

    def file(self, word):
        """The inode of a descriptor, or None."""
        match = PLACE.match(word)
        if not match:
            return None
        path = plain(match[2]).decode()
        if match[3]:
            return self.unnamed.get(path)
        inside = self.inside(path)
        return None if inside is None else self.disk.find(inside)

    # -- calls

    def do_openat(self, words, match):
        flags = words[2]
        if match[5] and "O_TMPFILE" in flags:
            self.unnamed[plain(match[4]).decode()] = self.new("file", int(words[3], 8) & ~UMASK)
        self.offsets[match[3]] = 0
        folder, name = self.place(words[0], words[1])
        if folder is None:
            return
        inode = self.disk.look(folder, name)
        if inode is None and "O_CREAT" in flags:
            self.create(folder, name, "file", int(words[3], 8) & ~UMASK)
        elif inode is not None and "O_TRUNC" in flags:
            self.add(Data(inode, None, b"", 0))
        if inode is not None and "O_APPEND" in flags:
            self.offsets[match[3]] = len(self.disk.contents[inode])

    def new(self, *born):
        self.before.new(*born)
        return self.disk.new(*born)

    def create(self, folder, name, kind, mode, target=b""):
        self.add(Names([(folder, name, self.new(kind, mode, target))]))

    def do_write(self, words, match):
        inode, number = self.file(words[0]), words[0].partition("<")[0]
        written = int(match[3])
        if inode is not None:
            self.add(Data(inode, self.offsets[number], plain(words[1].strip('"'))[:written], None))
            self.offsets[number] += written

    def do_pwrite64(self, words, match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Data(inode, int(words[3]), plain(words[1].strip('"'))[:int(match[3])], None))

    def do_lseek(self, words, match):
        self.offsets[words[0].partition("<")[0]] = int(match[3])

    def do_ftruncate(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Data(inode, None, b"", int(words[1])))

    def do_fallocate(self, words, _match):
        inode = self.file(words[0])
        if inode is not None and words[1] == "0":
            self.add(Data(inode, None, b"", max(int(words[2]) + int(words[3]), len(self.disk.contents[inode]))))

    def do_fsync(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Sync(inode, True))

    def do_fdatasync(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Sync(inode, False))

    def do_sync(self, _words, _match):
        self.add(Sync(None, True))

    def do_syncfs(self, words, _match):
        if self.file(words[0]) is not None:
            self.add(Sync(None, True))

    def do_ioctl(self, words, _match):
        if words[1] == "FIFREEZE" and self.file(words[0]) is not None:
            self.add(Sync(None, True))

    def do_rename(self, words, _match):
        self.move(*self.place("AT_FDCWD<>", words[0]), *self.place("AT_FDCWD<>", words[1]))

    def do_renameat(self, words, _match):
        if len(words) > 4 and "RENAME_EXCHANGE" in words[4]:
            raise RuntimeError("nothing here knows how to exchange names")
        self.move(*self.place(words[0], words[1]), *self.place(words[2], words[3]))

    do_renameat2 = do_renameat

    def move(self, old_folder, old, folder, name):
        if (old_folder is None) != (folder is None):
            raise RuntimeError("a name leaves the folder or comes into it: %s, %s" % (old, name))
        if folder is not None:
            inode = self.disk.look(old_folder, old)
            self.add(Names([(old_folder, old, None), (folder, name, inode)]))

    def do_linkat(self, words, _match):
        folder, name = self.place(words[2], words[3])
        if folder is None:
            return
        if "AT_EMPTY_PATH" in words[4]:
            inode = self.file(words[0])
        else:
            inode = self.disk.look(*self.place(words[0], words[1]))
        if inode is None:
            raise RuntimeError("a link to what is not known: %s" % name)
        self.add(Names([(folder, name, inode)]))

    def do_symlinkat(self, words, _match):
        folder, name = self.place(words[1], words[2])
        if folder is not None:
            self.create(folder, name, "link", 0o777, plain(words[0].strip('"')))

    def do_unlinkat(self, words, _match):
        match = PLACE.match(words[0])
        folder, name = self.place(words[0], words[1])
        if folder is not None:
            path = os.path.normpath(os.path.join(plain(match[2]).decode(), plain(words[1].strip('"')).decode()))
            self.unnamed[path] = self.disk.look(folder, name)
            self.add(Names([(folder, name, None)]))

    def do_unlink(self, words, match):
        self.do_unlinkat(["AT_FDCWD<>", words[0]], match)

    do_rmdir = do_unlink

    def do_mkdirat(self, words, _match):
        folder, name = self.place(words[0], words[1])
        if folder is not None:
            self.create(folder, name, "folder", int(words[2], 8) & ~UMASK)

    def do_mkdir(self, words, match):
        self.do_mkdirat(["AT_FDCWD<>", *words], match)

    def do_fchmod(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Facts(inode, "mode", int(words[1], 8)))

    def do_fchmodat(self, words, _match):
        folder, name = self.place(words[0], words[1])
        if folder is not None:
            self.add(Facts(self.disk.look(folder, name), "mode", int(words[2], 8)))

    def do_fchown(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Facts(inode, "owner", (int(words[1]), int(words[2]))))

    def do_fchownat(self, words, _match):
        folder, name = self.place(words[0], words[1])
        if folder is not None:
            self.add(Facts(self.disk.look(folder, name), "owner", (int(words[2]), int(words[3]))))

    def do_fsetxattr(self, words, _match):
        inode = self.file(words[0])
        if inode is not None:
            self.add(Facts(inode, plain(words[1].strip('"')).decode(), plain(words[2].strip('"'))))

# SPDX-License-Identifier: Apache-2.0
"""A folder as a composefs image and objects, by our writer: what a deployment with a composefs root has, without a store."""
import hashlib
import os
import re
import shutil
import stat
import subprocess


def add_object(path, objects):
    with open(path, "rb") as file:
        name = hashlib.sha256(file.read()).hexdigest()
    name = "%s/%s.file" % (name[:2], name[2:])
    if not os.path.exists(os.path.join(objects, name)):
        os.makedirs(os.path.join(objects, name[:2]), exist_ok=True)
        shutil.copy(path, os.path.join(objects, name))
    return name


def dump_line(path, shown, objects):
    """Of composefs-dump(5); everything is root's."""
    info, payload = os.lstat(path), "-"
    if stat.S_ISLNK(info.st_mode):
        payload = os.readlink(path)
    elif stat.S_ISREG(info.st_mode) and info.st_size > 0:
        payload = add_object(path, objects)
    assert not re.search(r"[^!-\[\]-~]", shown + payload), "a name that this doesn't escape: " + shown
    return "%s %d %o %d 0 0 0 %d.0 %s - -\n" % (shown, info.st_size, info.st_mode, info.st_nlink, info.st_mtime, payload)


def make_image(tool, tree, objects, image):
    """Returns the image's digest. `tool`: tests/interop/composefs_image."""
    os.makedirs(objects, exist_ok=True)
    lines = [dump_line(tree, "/", objects)]
    for folder, folders, names in os.walk(tree):
        lines += [dump_line(path, path[len(tree):], objects) for path in (os.path.join(folder, name) for name in sorted(folders + names))]
    with open(image + ".dump", "w", encoding="utf-8") as dump:
        dump.write("".join(lines))
    done = subprocess.run([tool, "v1", image + ".dump", image], capture_output=True, text=True, timeout=60, check=True)
    os.unlink(image + ".dump")
    return done.stdout.strip()


def make_root(tool, root, serial):
    """The tree of the deployment `serial` on the physical root `root` becomes its composefs image, whose digest is returned."""
    folder = os.path.join(root, "hostapp/deployments", str(serial))
    digest = make_image(tool, folder + "/root", os.path.join(root, "ostree/repo/objects"), folder + "/root.cfs")
    shutil.rmtree(folder + "/root")
    return digest


def flip_byte(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))

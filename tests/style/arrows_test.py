#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include against the table of arrows, and every source file against two rules of form.

usage: arrows_test.py SOURCE_DIR ARROWS_FILE
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)
SOURCES = {".cc", ".h"}
# Each library has one room: its headers may be named nowhere else.
LIBRARIES = {
    r"^nlohmann/": {"hostapp/base"},
    r"^openssl/": {"hostapp/base"},
    r"^curl/": {"hostapp/registry"},
    r"^archive(_entry)?\.h$": {"hostapp/layer"},
    r"^blkid/": {"hostapp/disk", "ostree-integration/sysroot"},
    r"^zstd\.h$": {"hostapp/layer", "ostree-integration/store"},
    r"^zlib\.h$": {"hostapp/layer", "hostapp/disk", "ostree-integration/store"},
    r"^(ext2fs|et)/": {"hostapp/disk"},
    r"^ostree": {"ostree-integration/store"},
    r"^(glib|gio)": {"ostree-integration/glib", "ostree-integration/store"},
    r"^CLI/": {"tools/hostapp", "tools/hostapp-image", "tools/cli"},
}


def read_arrows(path):
    table = {}
    for line in path.read_text().splitlines():
        name, _floor, *uses = line.split()
        table[name] = set(uses)
    return table


def module_of(path, table):
    """The module whose folder holds `path`: the longest name wins."""
    folders = [name for name in table if path.startswith(name + "/")]
    return max(folders, key=len, default=None)


def problems_of(source, text, module, table):
    for included in INCLUDE.findall(text):
        target = module_of(included, table)
        if target is None:
            yield f'{source}: includes "{included}", which is in no module'
        elif target != module and target not in table[module]:
            yield f"{source}: {module} may not use {target} ({included})"
    for included in SYSTEM_INCLUDE.findall(text):
        for pattern, rooms in LIBRARIES.items():
            if re.search(pattern, included) and module not in rooms:
                yield f"{source}: <{included}> belongs to {', '.join(sorted(rooms))} alone"


def main():
    root, table = pathlib.Path(sys.argv[1]), read_arrows(pathlib.Path(sys.argv[2]))
    problems, checked = [], 0
    for top in ("hostapp", "ostree-integration", "initramfs", "tools", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SOURCES:
                continue
            source, text = str(path.relative_to(root)), path.read_text()
            if "SPDX-License-Identifier: Apache-2.0" not in text.split("\n", 1)[0]:
                problems.append(f"{source}: its first line names no licence")
            module = module_of(source, table)
            if module is not None:
                problems += problems_of(source, text, module, table)
                checked += 1
    # The test must be able to fail: a made-up arrow upwards has to be found.
    assert list(problems_of("x.cc", '#include "hostapp/lifecycle/upgrade.h"\n', "hostapp/base", table))
    print("\n".join(problems) or f"{checked} files keep to the arrows")
    return 1 if problems or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The kernels of tiny_kernel.S and tiny_efi_kernel.S, which say what they were started with."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def changed():
    """When the sources of make() last were, as a file's time."""
    return max(os.path.getmtime(os.path.join(HERE, name)) for name in ("tiny_kernel.S", "serial.S"))


def make(path):
    assemble("--32", "tiny_kernel.S", path)


def make_efi(path):
    assemble("--64", "tiny_efi_kernel.S", path)


def assemble(bits, source, path):
    subprocess.run(["as", bits, "-I", HERE, "-o", path + ".o", os.path.join(HERE, source)], timeout=60, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", path + ".o", path], timeout=60, check=True)

# SPDX-License-Identifier: Apache-2.0
"""The kernels of tiny_kernel.S and tiny_efi_kernel.S, which say what they were started with."""

import os
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny_kernel.S")
EFI_SOURCE = os.path.join(os.path.dirname(SOURCE), "tiny_efi_kernel.S")


def make(path):
    assemble("--32", SOURCE, path)


def make_efi(path):
    assemble("--64", EFI_SOURCE, path)


def assemble(bits, source, path):
    subprocess.run(["as", bits, "-o", path + ".o", source], timeout=60, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", path + ".o", path], timeout=60, check=True)

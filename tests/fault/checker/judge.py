# SPDX-License-Identifier: Apache-2.0
"""All that must hold of a whole disk."""
from boot_sets import check_sets
from deployments import Sysroot
from store import Store


def violations(root, boot, loader, before):
    """[(invariant, text), …]. `root`, `boot`: files.Folder; `before`: what Sysroot.facts() said, or None."""
    sysroot, store = Sysroot(root, boot), Store(root.below("ostree/repo"))
    found = list(store.check_objects())
    found += store.check_refs()
    found += check_sets(boot)
    found += sysroot.check(store)
    found += sysroot.check_loader(loader, whole=True)
    if before:
        found += sysroot.compare(before)
    return found

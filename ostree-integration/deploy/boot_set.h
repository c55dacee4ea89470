// SPDX-License-Identifier: Apache-2.0
// The boot set of an image: found in its tree, and brought to the boot file system (sysroot/boot_sets.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/sysroot/boot_sets.h"

namespace hostapp {

struct BootFile {
  std::string name;  // in the set: "linux", "initrd", "dtb/vendor/board.dtb"
  std::string path;  // in the image's tree
  uint64_t size = 0;
  HashValue sha256;
};

struct BootSet {
  std::string kernel_version;
  std::vector<BootFile> files;  // sorted by name
  uint64_t bytes = 0;

  std::string Sums() const;  // the text of SHA256SUMS
  HashValue digest() const { return HashOf(AsBytes(Sums())); }
};

// Finds the image's one kernel and its initramfs and hashes them:
// usr/lib/modules/<version>/{vmlinuz,initramfs.img}, or boot/{vmlinuz,initrd.img}-<version>; device trees from
// usr/lib/modules/<version>/dtb. kCorrupt, with the rule: no kernel, several kernels, no initramfs, a kernel that is
// neither a Linux x86 boot image nor a PE image, one for another machine, a device tree whose name not every boot file
// system can hold.
Result<BootSet> ReadBootSet(const ImageStore& store, const std::string& commit, OpContext& ctx);

// The same with the hashes that the import took: of the files, only the kernel's header is read. What has been damaged
// since then is found when the set is staged. The image is that of `commit`.
Result<BootSet> KnownBootSet(const ImageStore& store, const std::string& commit, const ImageTree& tree, OpContext& ctx);

// Copies the set to the boot file system, reads it back past the page cache and compares; durable. A set that is there
// already is made durable and checked instead: kCorrupt if it is damaged. kNoSpace, with both numbers, before the first
// byte. A crash leaves at most a folder that is no set yet; on an error nothing of it is left but what was there
// before.
Status StageBootSet(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store, const std::string& commit,
                    const BootSet& set, OpContext& ctx);

// Writes what is missing of the set, or damaged, and leaves alone what is whole: how one is staged, and repaired.
Status CompleteBootSet(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store,
                       const std::string& commit, const BootSet& set, OpContext& ctx);

}  // namespace hostapp

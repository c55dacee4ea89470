// SPDX-License-Identifier: Apache-2.0
// Kernel, initramfs and device trees of a deployment, as a loader reads them: <boot>/hostapp/<digest>/.
//
// Each set has a SHA256SUMS of its files ("<hex>  <name>", sorted by name), and its digest is the SHA-256 of that text:
// `sha256sum SHA256SUMS` prints the folder's name, `sha256sum -c SHA256SUMS` checks it. The list is written last, and
// is the first to be removed: a folder without the list that it is named by is no set. Nothing is renamed: on FAT a
// disk that reorders writes can leave what was renamed under both names. What is whole of a set is never written again;
// equal kernels and initramfs share one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/hash.h"
#include "ostree-integration/sysroot/sysroot.h"

namespace hostapp {

// The digest that a set's folder is named by; nothing: not ours.
std::optional<HashValue> ParseBootSetName(std::string_view name);

// A line of SHA256SUMS.
struct BootSetFile {
  std::string sha256;  // hexadecimal
  std::string name;    // relative, and not leading out of the set
  bool operator==(const BootSetFile&) const = default;
};
// kCorrupt, with the line.
Result<std::vector<BootSetFile>> ParseBootSetSums(std::string_view text);

// Whether the list is there that the set is named by, as the disk has it. Its files may be damaged. Errors as below.
Result<bool> HasBootSet(const Sysroot& sysroot, const HashValue& digest);
// Whether the folder of that set has this file, whole. An I/O error is damage; kIo for what says nothing about the
// file.
Result<bool> HasBootFile(const Sysroot& sysroot, const HashValue& digest, const BootSetFile& file);

// Hashes what is on disk against the set's own SHA256SUMS and that against its name. kCorrupt; kNotFound: it has no
// list.
Status CheckBootSet(const Sysroot& sysroot, const HashValue& digest);

// Digests of all sets there are; names that are no digest are not ours and left out.
Result<std::vector<HashValue>> ListBootSets(const Sysroot& sysroot);

Result<uint64_t> BootSetBytes(const Sysroot& sysroot, const HashValue& digest);
// The same of any folder of the boot file system. kIo.
Result<uint64_t> BytesBelow(int dir, const std::string& path);

// Returns the bytes freed; ok when there is no such set. Durable. Its SHA256SUMS goes first, and durably: what a crash
// leaves is no set, and the next one of the same files takes its place.
Result<uint64_t> RemoveBootSet(const StoreLock& lock, const Sysroot& sysroot, const HashValue& digest, OpContext& ctx);

// Bytes of the largest set: what the next one is planned with, before its image has been fetched.
Result<uint64_t> LargestBootSet(const Sysroot& sysroot);

}  // namespace hostapp

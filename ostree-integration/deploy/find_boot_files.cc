// SPDX-License-Identifier: Apache-2.0
// Which files of an image's tree make its boot set.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/deploy/kernel_image.h"
#include "ostree-integration/store/inode.h"
#include "ostree-integration/sysroot/measure_file.h"

namespace hostapp {
namespace {

constexpr const char* kModules = "usr/lib/modules";

struct Kernel {
  std::string version;
  std::string kernel_path;
  std::string initramfs_path;
};

// A missing folder has no entries.
Result<std::vector<TreeEntry>> ListIfThere(const ImageStore& store, const std::string& commit, std::string_view path) {
  Result<std::vector<TreeEntry>> entries = ListTree(store, commit, path);
  if (!entries.ok() && entries.error().code() == Errc::kNotFound) return std::vector<TreeEntry>();
  return entries;
}

const TreeEntry* FindFile(const std::vector<TreeEntry>& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const TreeEntry& entry) {
    return entry.name == name && entry.type == TreeEntry::Type::kFile;
  });
  return found == entries.end() ? nullptr : &*found;
}

Error NoInitramfs(std::string_view kernel, std::string_view expected) {
  return Error(Errc::kCorrupt, StrCat("the image's kernel ", Escape(kernel), " has no initramfs: ", Escape(expected),
                                      " is missing; build one with the hostapp hook in it"));
}

// bootc's layout: usr/lib/modules/<version>/{vmlinuz,initramfs.img}.
Result<std::vector<Kernel>> KernelsInModules(const ImageStore& store, const std::string& commit) {
  std::vector<Kernel> kernels;
  ASSIGN_OR_RETURN(const std::vector<TreeEntry> versions, ListIfThere(store, commit, kModules));
  for (const TreeEntry& version : versions) {
    if (version.type != TreeEntry::Type::kDirectory) continue;
    const std::string dir = StrCat(kModules, "/", version.name);
    ASSIGN_OR_RETURN(const std::vector<TreeEntry> files, ListTree(store, commit, dir));
    if (FindFile(files, "vmlinuz") == nullptr) continue;
    if (FindFile(files, "initramfs.img") == nullptr) return NoInitramfs(version.name, dir + "/initramfs.img");
    kernels.push_back({version.name, dir + "/vmlinuz", dir + "/initramfs.img"});
  }
  return kernels;
}

// A distribution's own: boot/{vmlinuz,initrd.img}-<version>.
Result<std::vector<Kernel>> KernelsInBoot(const ImageStore& store, const std::string& commit) {
  constexpr std::string_view kPrefix = "vmlinuz-";
  std::vector<Kernel> kernels;
  ASSIGN_OR_RETURN(const std::vector<TreeEntry> files, ListIfThere(store, commit, "boot"));
  for (const TreeEntry& file : files) {
    if (file.type != TreeEntry::Type::kFile || !file.name.starts_with(kPrefix)) continue;
    const std::string version = file.name.substr(kPrefix.size());
    const std::string initramfs = "initrd.img-" + version;
    if (FindFile(files, initramfs) == nullptr) return NoInitramfs(version, "boot/" + initramfs);
    kernels.push_back({version, "boot/" + file.name, "boot/" + initramfs});
  }
  return kernels;
}

Result<Kernel> TheKernel(const ImageStore& store, const std::string& commit) {
  ASSIGN_OR_RETURN(std::vector<Kernel> kernels, KernelsInModules(store, commit));
  if (kernels.empty()) {
    ASSIGN_OR_RETURN(kernels, KernelsInBoot(store, commit));
  }
  if (kernels.size() == 1) return kernels.front();
  if (kernels.empty()) {
    return Error(Errc::kCorrupt,
                 "the image has no kernel: neither usr/lib/modules/<version>/vmlinuz nor boot/vmlinuz-<version>");
  }
  std::vector<std::string> versions;
  versions.reserve(kernels.size());
  for (const Kernel& kernel : kernels) versions.push_back(Escape(kernel.version));
  return Error(Errc::kCorrupt, StrCat("the image has ", kernels.size(), " kernels (", Join(versions, ", "),
                                      "); which one boots must be plain: leave one"));
}

// Size and hash of a file of the tree, for its name in the set.
using Describe = std::function<Result<BootFile>(std::string name, std::string path)>;

Result<BootFile> DescribeByReading(const ImageStore& store, const std::string& commit, std::string name,
                                   std::string path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(store, commit, path));
  ASSIGN_OR_RETURN(const MeasuredFile measured, MeasureFile(fd.get()).While("reading ", Escape(path)));
  return BootFile{.name = std::move(name), .path = std::move(path), .size = measured.size, .sha256 = measured.sha256};
}

Result<BootFile> DescribeFromIndexes(const ImageTree& tree, std::string name, std::string path) {
  const Node* node = Below(tree.root(), path);
  if (node == nullptr || node->inode->type != Inode::Type::kFile) {
    return Error(Errc::kCorrupt, StrCat(Escape(path), " is in the image's tree and in no index of its layers"));
  }
  BootFile file{.name = std::move(name), .path = std::move(path), .size = node->inode->size, .sha256 = {}};
  std::ranges::copy(node->inode->content, file.sha256.bytes.begin());
  return file;
}

Status CheckKernel(const ImageStore& store, const std::string& commit, const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(store, commit, path));
  std::array<std::byte, kKernelHeaderBytes> head;
  const ssize_t got = ::pread(fd.get(), head.data(), head.size(), 0);
  if (got < 0) return SysError(errno, StrCat("reading ", Escape(path)));
  return KernelImageFits(ByteSpan(head).first(static_cast<size_t>(got)), HostPlatform().architecture)
      .While(Escape(path));
}

// What FAT can hold and a line of SHA256SUMS can say.
Status CheckDeviceTreeName(const std::string& dir, const std::string& name) {
  const bool fits = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+,@").find(c) != std::string_view::npos;
  });
  if (fits && !name.starts_with('.')) return Ok();
  return Error(Errc::kCorrupt, StrCat(Escape(dir), ": the device tree \"", Escape(name),
                                      "\" must be named with letters, digits and ._-+,@ and not begin with a dot"));
}

Status AddDeviceTrees(const ImageStore& store, const std::string& commit, const std::string& dir,
                      const std::string& name, const Describe& describe, BootSet& set) {
  ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, ListIfThere(store, commit, dir));
  for (const TreeEntry& entry : entries) {
    TRY(CheckDeviceTreeName(dir, entry.name));
    const std::string path = StrCat(dir, "/", entry.name);
    const std::string in_set = StrCat(name, "/", entry.name);
    if (entry.type == TreeEntry::Type::kDirectory) {
      TRY(AddDeviceTrees(store, commit, path, in_set, describe, set));
    } else if (entry.type == TreeEntry::Type::kFile) {
      ASSIGN_OR_RETURN(set.files.emplace_back(), describe(in_set, path));
    }
  }
  return Ok();
}

Result<BootSet> FindBootSet(const ImageStore& store, const std::string& commit, const Describe& describe,
                            OpContext& ctx) {
  ASSIGN_OR_RETURN(const Kernel kernel, TheKernel(store, commit));
  TRY(CheckKernel(store, commit, kernel.kernel_path));
  BootSet set{.kernel_version = kernel.version};
  ASSIGN_OR_RETURN(set.files.emplace_back(), describe("linux", kernel.kernel_path));
  TRY(ctx.cancel.Check());
  ASSIGN_OR_RETURN(set.files.emplace_back(), describe("initrd", kernel.initramfs_path));
  TRY(AddDeviceTrees(store, commit, StrCat(kModules, "/", kernel.version, "/dtb"), "dtb", describe, set));
  std::sort(set.files.begin(), set.files.end(), [](const BootFile& a, const BootFile& b) { return a.name < b.name; });
  for (const BootFile& file : set.files) set.bytes += file.size;
  return set;
}

}  // namespace

Result<BootSet> ReadBootSet(const ImageStore& store, const std::string& commit, OpContext& ctx) {
  const auto describe = [&](std::string name, std::string path) {
    return DescribeByReading(store, commit, std::move(name), std::move(path));
  };
  return FindBootSet(store, commit, describe, ctx);
}

Result<BootSet> KnownBootSet(const ImageStore& store, const std::string& commit, const ImageTree& tree,
                             OpContext& ctx) {
  const auto describe = [&](std::string name, std::string path) {
    return DescribeFromIndexes(tree, std::move(name), std::move(path));
  };
  return FindBootSet(store, commit, describe, ctx);
}

}  // namespace hostapp

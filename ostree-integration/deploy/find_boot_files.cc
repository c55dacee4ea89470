// SPDX-License-Identifier: Apache-2.0
// Which files of an image's tree make its boot set.
#include <algorithm>
#include <optional>

#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/deploy/kernel_image.h"
#include "ostree-integration/deploy/read_file.h"

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

Result<BootFile> HashFile(const ImageStore& store, const std::string& commit, std::string name, std::string path,
                          std::string* head) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(store, commit, path));
  BootFile file{.name = std::move(name), .path = std::move(path)};
  Hasher hasher;
  const auto add = [&](ByteSpan bytes) {
    if (head != nullptr && head->size() < kKernelHeaderBytes) head->append(AsText(bytes));
    hasher.Update(bytes);
    file.size += bytes.size();
    return Ok();
  };
  TRY(ForEachChunk(fd.get(), add).While("reading ", Escape(file.path)));
  file.sha256 = hasher.Finish();
  return file;
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
                      const std::string& name, BootSet& set) {
  ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, ListIfThere(store, commit, dir));
  for (const TreeEntry& entry : entries) {
    TRY(CheckDeviceTreeName(dir, entry.name));
    const std::string path = StrCat(dir, "/", entry.name);
    const std::string in_set = StrCat(name, "/", entry.name);
    if (entry.type == TreeEntry::Type::kDirectory) {
      TRY(AddDeviceTrees(store, commit, path, in_set, set));
    } else if (entry.type == TreeEntry::Type::kFile) {
      ASSIGN_OR_RETURN(set.files.emplace_back(), HashFile(store, commit, in_set, path, nullptr));
    }
  }
  return Ok();
}

}  // namespace

Result<BootSet> ReadBootSet(const ImageStore& store, const std::string& commit, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Kernel kernel, TheKernel(store, commit));
  BootSet set{.kernel_version = kernel.version};
  std::string head;
  ASSIGN_OR_RETURN(set.files.emplace_back(), HashFile(store, commit, "linux", kernel.kernel_path, &head));
  TRY(KernelImageFits(AsBytes(head), HostPlatform().architecture).While(Escape(kernel.kernel_path)));
  TRY(ctx.cancel.Check());
  ASSIGN_OR_RETURN(set.files.emplace_back(), HashFile(store, commit, "initrd", kernel.initramfs_path, nullptr));
  TRY(AddDeviceTrees(store, commit, StrCat(kModules, "/", kernel.version, "/dtb"), "dtb", set));
  std::sort(set.files.begin(), set.files.end(), [](const BootFile& a, const BootFile& b) { return a.name < b.name; });
  for (const BootFile& file : set.files) set.bytes += file.size;
  return set;
}

}  // namespace hostapp

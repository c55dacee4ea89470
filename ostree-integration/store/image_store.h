// SPDX-License-Identifier: Apache-2.0
// The device's store: the OSTree repository at `ostree/repo` below the physical root, and our names in it.
//
// Refs: `hostapp/layer/<diff-id hex>`, one verified layer with its index; `hostapp/image/<manifest-digest hex>`, the
// merged tree of an image, with the manifest and the config in the commit's metadata. docs/formats-store.md has both.
// `ostree` commands work on it. Which of several changes comes first is the caller's to decide: everything that changes
// the store wants the store's lock held above; what has no lock of its own says so.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/manifest.h"

namespace hostapp {

// An open store. May be moved, not copied; used by one thread at a time. Holds descriptors of its own: `sysroot_fd`
// may be closed after.
class ImageStore {
 public:
  // Makes `ostree/repo` (mode bare, so that deployments are hard links of its objects) and `hostapp/tmp`, durably, then
  // opens it. A store that is there already is only opened; one that a crash left half made is completed.
  // Errors: kCorrupt when what is there is a repository of another mode; kNoSpace, kIo.
  static Result<ImageStore> Create(int sysroot_fd, OpContext& ctx);
  // kNotFound when there is none; kCorrupt when it is no repository of ours.
  static Result<ImageStore> Open(int sysroot_fd, OpContext& ctx);
  // Writes the repository's config again where it is missing or damaged, durably; what is in it besides, as an
  // administrator's remotes, is lost with it. What was wrong; nothing where nothing was.
  static Result<std::optional<std::string>> RepairConfig(int sysroot_fd, OpContext& ctx);

  ImageStore(ImageStore&&) noexcept;
  ImageStore& operator=(ImageStore&&) noexcept;
  ~ImageStore();

  int sysroot_fd() const;
  // `hostapp/tmp`: spool files and other unfinished work.
  int tmp_fd() const;

  // Whether every file of more than composefs::kSmallContentBytes in it has fs-verity, and root.cfs is to have it. So
  // decided when the store is made, by whether its file system can.
  bool has_verity() const;
  // Enables it on the new file `name`, which nobody has open for writing; ok and nothing done where has_verity() is
  // false. Durable after a sync. kNoSpace, kIo: also where the store was moved to a file system that cannot.
  Status GiveVerity(int dir, const std::string& name, Syscalls& sys) const;

  // For this module's own files: libostree's handle and what goes with it.
  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  explicit ImageStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// An image whose merged tree is in the store.
struct ImageInfo {
  Digest manifest_digest;
  std::string commit;  // of the merged tree, 64 hexadecimal digits
  std::optional<std::string> version;
  std::optional<int64_t> created;  // Unix seconds, as the config says
  std::vector<Digest> diff_ids;    // of its layers, lowest first
};

// The image with that manifest digest; nothing when the store does not have it (merged). kCorrupt, kIo.
Result<std::optional<ImageInfo>> FindImage(const ImageStore& store, const Digest& manifest_digest);
// All of them, by manifest digest.
Result<std::vector<ImageInfo>> ListImages(const ImageStore& store);

struct LayerInfo {
  Digest diff_id;
  std::string commit;
};
Result<std::optional<LayerInfo>> FindLayer(const ImageStore& store, const Digest& diff_id);
Result<std::vector<LayerInfo>> ListLayers(const ImageStore& store);

// The very manifest and config that the image came with, from its commit: works offline.
struct StoredImage {
  Manifest manifest;
  ImageConfig config;
};
// kNotFound; kCorrupt when the bytes do not have the digest that the ref says.
Result<StoredImage> LoadImage(const ImageStore& store, const Digest& manifest_digest);

// One name in a folder of a commit's tree.
struct TreeEntry {
  enum class Type { kFile, kDirectory, kSymlink };

  std::string name;
  Type type = Type::kFile;
  uint32_t mode = 0;  // 07777
  uint64_t size = 0;  // kFile only
  std::string link_target;
  std::string checksum;  // of the object: file and symlink the content object, folder its tree object
};

// The names in the folder `path` ("" is the root, "usr/lib/modules") of a commit, sorted by their bytes. No symbolic
// link is followed: one on the way, and anything else that is no folder, is kNotFound, like a missing name.
Result<std::vector<TreeEntry>> ListTree(const ImageStore& store, std::string_view commit, std::string_view path);
// The file `path` of a commit, open for reading: the store's object itself, never to be written. kNotFound as above,
// also when `path` is itself a link or a folder.
Result<UniqueFd> OpenFile(const ImageStore& store, std::string_view commit, std::string_view path);

// Checks a commit out as `name`, new in the folder `parent_fd` (same file system as the store), every file a hard link
// of its object: the tree is for read-only use. When the limit of links of an object is reached (ext4: 65,000), that
// file is a copy. Durable on return; a crash leaves a part of it, which the caller removes. kBusy: the name is taken.
Status Checkout(const ImageStore& store, std::string_view commit, int parent_fd, std::string_view name, OpContext& ctx);

}  // namespace hostapp

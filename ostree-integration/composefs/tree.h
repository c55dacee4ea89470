// SPDX-License-Identifier: Apache-2.0
// A file tree, as an image of composefs has it: names, owners, modes, times, attributes, and of a file's content either
// the few bytes themselves or where the store keeps it.
//
// Made for trees of a million names: an entry and its inode take about 64 bytes beside their text, a file of the store
// 160 more; nothing is allocated one by one. Names may come in any order; what is added last costs no more than what is
// added first. Not more than 4 GiB each of names and of attributes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/composefs/tree_data.h"
#include "ostree-integration/composefs/xattr_table.h"

namespace hostapp::composefs {

inline constexpr size_t kMaxNameBytes = 255;
inline constexpr size_t kMaxTargetBytes = 4095;               // of a symbolic link, and of a backing path
inline constexpr size_t kMaxInlineBytes = 5000;               // of content in the image
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 53;  // of a file of the store
// Of one file: names, values, 7 bytes for each and 12 for all. libcomposefs's limit: half of what its image can have.
inline constexpr size_t kMaxXattrBytes = 32767;
size_t XattrBytes(std::span<const Xattr> xattrs);
// Content that is as short takes less room in the image than its place in the store.
inline constexpr size_t kSmallContentBytes = 64;

struct Metadata {
  uint32_t mode = 0;  // 07777
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime = 0;  // seconds since 1970
  uint32_t mtime_nanos = 0;
  uint32_t links = 0;  // what stat(2) shall say; 0: as many as there are names. A folder's are always counted.
  std::span<const Xattr> xattrs = {};
};

// A file whose content lies below the folder of the store that the image is mounted with.
struct Backing {
  uint64_t size = 0;                  // bytes
  std::string_view path;              // relative; empty: the image doesn't say
  std::optional<Sha256> verity = {};  // the fs-verity digest that overlayfs asks for
};

enum class DeviceType { kCharacter, kBlock };
// Character device 0:0 is overlayfs's whiteout: the image has an escaped one, an empty file that hides nothing itself,
// but does in an overlayfs that is mounted over folders of the image (containers).
struct Device {
  DeviceType type = DeviceType::kCharacter;
  uint32_t major = 0;  // 12 bits
  uint32_t minor = 0;  // 20 bits
};

enum class SpecialType { kFifo, kSocket };

// Owns copies of all that it is given. Every Add checks what it gets and changes nothing when it refuses: kCorrupt, the
// path in front, for what no image can have. Two entries with one name are found by the writer.
class Tree {
 public:
  // A file with its first name. Valid for its own tree only.
  enum class Id : uint32_t {};
  static constexpr Id kRoot = Id{kRootInode};

  static Result<Tree> Create(const Metadata& root);

  // Room for as many names more, where the number is known: without it, growing takes twice the memory for a moment.
  void Reserve(size_t names);

  // `folder` is one that AddFolder() or kRoot gave; anything else is a bug.
  Result<Id> AddFolder(Id folder, std::string_view name, const Metadata& metadata);
  Result<Id> AddFile(Id folder, std::string_view name, const Metadata& metadata, const Backing& backing);
  Result<Id> AddInlineFile(Id folder, std::string_view name, const Metadata& metadata, std::string_view content);
  Result<Id> AddSymlink(Id folder, std::string_view name, const Metadata& metadata, std::string_view target);
  Result<Id> AddDevice(Id folder, std::string_view name, const Metadata& metadata, const Device& device);
  Result<Id> AddSpecial(Id folder, std::string_view name, const Metadata& metadata, SpecialType type);

  // One more name for `file`, which stays where it was added first. kCorrupt for a folder. There can be no loops and no
  // links to nothing: a link's file is there before it.
  Status AddHardLink(Id folder, std::string_view name, Id file);

  bool IsFolder(Id file) const { return Of(file).is_folder(); }
  // Whether a whiteout is in it: such a tree looks different in the two versions of the format.
  bool HasWhiteouts() const { return has_whiteouts_; }

  const TreeData& data() const { return data_; }

 private:
  struct Detail;

  Tree() = default;
  const Inode& Of(Id id) const { return data_.inodes[static_cast<uint32_t>(id)]; }
  Status At(Id folder, std::string_view name, Status status) const;  // with the path in front
  Status CheckEntry(Id folder, std::string_view name) const;
  Status CheckMetadata(const Metadata& metadata) const;
  Result<Id> Add(Id folder, std::string_view name, const Metadata& metadata, const Detail& detail);
  void AddEntry(Id folder, std::string_view name, uint32_t inode, Entry::Kind kind);
  uint32_t AddInode(const Metadata& metadata, const Detail& detail);
  void SetXattrs(Inode& inode, std::span<const Xattr> given, std::span<const Xattr> ours);
  void AddDefaultWhiteouts(const Metadata& root);

  TreeData data_;
  bool has_whiteouts_ = false;
};

}  // namespace hostapp::composefs

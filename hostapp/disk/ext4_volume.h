// SPDX-License-Identifier: Apache-2.0
// An ext4 file system in a file, made empty by mke2fs and filled through libext2fs: the parts of a file, each by
// itself. Private to this module.
#pragma once

#include <ext2fs/ext2fs.h>

#include <memory>
#include <string>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "hostapp/disk/recording_syscalls.h"

namespace hostapp {

// An Error of libext2fs's, in its words; kNoSpace when blocks, inodes or the disk below are used up.
Error Ext2Error(errcode_t code, std::string_view doing);

class Ext4Volume {
 public:
  // Opens the file system that begins `offset` bytes into `file`, where its inode tables are all zero. `time`: for all
  // that has none of its own.
  static Result<Ext4Volume> Open(const std::string& file, uint64_t offset, int64_t time);

  uint64_t FreeBlocks() const { return ext2fs_free_blocks_count(fs()->super); }
  uint64_t FreeInodes() const { return fs()->super->s_free_inodes_count; }

  enum class Kind { kFolder, kOther };
  // Takes the next free one, in the order of the calls.
  Result<ext2_ino_t> NewInode(Kind kind);
  // An inode with these attributes and no content yet.
  ext2_inode_large MakeInode(uint32_t type, const Attributes& attributes) const;
  Status WriteInode(ext2_ino_t number, ext2_inode_large& inode);
  Result<ext2_inode_large> ReadInode(ext2_ino_t number);
  // After the inode has its final form: they may add a block to it.
  Status SetXattrs(ext2_ino_t number, const XattrMap& xattrs);
  // Frees a file's blocks.
  Status Empty(ext2_ino_t number, ext2_inode_large& inode);

  // Writes bitmaps and superblocks.
  Status Close();

  ext2_filsys fs() const { return fs_.get(); }

 private:
  struct Free {
    void operator()(ext2_filsys fs) const { ext2fs_free(fs); }
  };
  explicit Ext4Volume(ext2_filsys fs) : fs_(fs) {}

  std::unique_ptr<struct_ext2_filsys, Free> fs_;
  ext2_ino_t last_inode_ = EXT2_ROOT_INO;
  blk64_t next_block_ = 0;
  friend class ExtentWriter;
};

// Gives a file its blocks, from its first to its last; what is left out is a hole.
class ExtentWriter {
 public:
  // `inode` is on disk under `number` and empty; it and the volume outlive the writer.
  static Result<ExtentWriter> Begin(Ext4Volume& volume, ext2_ino_t number, ext2_inode_large& inode);

  // `bytes`: whole blocks, the first being the file's block `block`.
  Status Write(uint64_t block, ByteSpan bytes);
  // The same for blocks of a folder, which get their checksums.
  Status WriteFolderBlock(uint64_t block, std::string& bytes);
  // All extents are in the inode, which still has to be written.
  Status Finish();

 private:
  struct Free {
    void operator()(ext2_extent_handle* handle) const { ext2fs_extent_free(handle); }
  };
  struct Run {
    blk64_t start = 0;
    blk64_t blocks = 0;
  };
  ExtentWriter(Ext4Volume& volume, ext2_ino_t number, ext2_inode_large& inode, ext2_extent_handle_t handle)
      : volume_(&volume), number_(number), inode_(&inode), handle_(handle) {}

  Result<Run> Allocate(uint64_t block, uint64_t blocks);
  Status Append(uint64_t block, const Run& run);
  Status Flush();

  Ext4Volume* volume_;
  ext2_ino_t number_;
  ext2_inode_large* inode_;
  std::unique_ptr<ext2_extent_handle, Free> handle_;
  ext2fs_extent pending_{};
};

}  // namespace hostapp

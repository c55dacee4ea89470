// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/ext4_volume.h"

#include <et/com_err.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/disk/tree_size.h"

namespace hostapp {
namespace {

constexpr uint32_t kMostExtentBlocks = 32768;

ext2_inode* Small(ext2_inode_large& inode) { return reinterpret_cast<ext2_inode*>(&inode); }

Status Check(errcode_t code, std::string_view doing) {
  if (code == 0) return Ok();
  return Ext2Error(code, doing);
}

// Seconds since 1970 in 34 bits, the upper two beside the nanoseconds.
void PutTime(int64_t seconds, uint32_t& low, uint32_t& extra) {
  low = static_cast<uint32_t>(seconds);
  extra = static_cast<uint32_t>(((seconds - static_cast<int32_t>(low)) >> 32) & EXT4_EPOCH_MASK);
}

}  // namespace

Error Ext2Error(errcode_t code, std::string_view doing) {
  if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL) {
    return Error(Errc::kNoSpace, StrCat(doing, ": the file system is full"));
  }
  if (code == EXT2_ET_SHORT_WRITE) {
    return Error(Errc::kNoSpace, StrCat(doing, ": there is no room left for the file that it is in"));
  }
  if (code > 0 && code < 256) return SysError(static_cast<int>(code), doing);
  return Error(Errc::kIo, StrCat(doing, ": ", std::string_view(::error_message(code))));
}

Result<Ext4Volume> Ext4Volume::Open(const std::string& file, uint64_t offset, int64_t time) {
  ::initialize_ext2_error_table();
  ext2_filsys fs = nullptr;
  const std::string options = StrCat("offset=", offset);
  TRY(Check(ext2fs_open2(file.c_str(), options.c_str(), EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0,
                         static_cast<unsigned>(kExt4BlockBytes), unix_io_manager, &fs),
            "opening the new ext4 file system"));
  Ext4Volume volume(fs);
  // Zero would mean: ask the clock.
  fs->now = static_cast<time_t>(std::max<int64_t>(1, time));
  TRY(Check(ext2fs_read_bitmaps(fs), "reading the new ext4 file system"));
  // mke2fs would write all the zeros, or leave them to the first boot; they are there.
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
    ext2fs_group_desc_csum_set(fs, group);
  }
  ext2fs_mark_super_dirty(fs);
  return volume;
}

Result<ext2_ino_t> Ext4Volume::NewInode(Kind kind) {
  ext2_ino_t number = 0;
  const int type = kind == Kind::kFolder ? LINUX_S_IFDIR : LINUX_S_IFREG;
  TRY(Check(ext2fs_new_inode(fs(), last_inode_, type, nullptr, &number), "taking an inode"));
  ext2fs_inode_alloc_stats2(fs(), number, +1, kind == Kind::kFolder ? 1 : 0);
  last_inode_ = number;
  return number;
}

ext2_inode_large Ext4Volume::MakeInode(uint32_t type, const Attributes& attributes) const {
  ext2_inode_large inode{};
  inode.i_mode = static_cast<uint16_t>(type | (attributes.mode & 07777));
  inode.i_uid = static_cast<uint16_t>(attributes.uid);
  inode.i_gid = static_cast<uint16_t>(attributes.gid);
  inode.osd2.linux2.l_i_uid_high = static_cast<uint16_t>(attributes.uid >> 16);
  inode.osd2.linux2.l_i_gid_high = static_cast<uint16_t>(attributes.gid >> 16);
  inode.i_links_count = 1;
  inode.i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
  const int64_t time = fs()->now;
  const int64_t mtime = attributes.mtime.value_or(time);
  PutTime(mtime, inode.i_mtime, inode.i_mtime_extra);
  PutTime(mtime, inode.i_atime, inode.i_atime_extra);
  PutTime(time, inode.i_ctime, inode.i_ctime_extra);
  PutTime(time, inode.i_crtime, inode.i_crtime_extra);
  return inode;
}

Status Ext4Volume::WriteInode(ext2_ino_t number, ext2_inode_large& inode) {
  return Check(ext2fs_write_inode_full(fs(), number, Small(inode), sizeof inode), "writing an inode");
}

Result<ext2_inode_large> Ext4Volume::ReadInode(ext2_ino_t number) {
  ext2_inode_large inode{};
  TRY(Check(ext2fs_read_inode_full(fs(), number, Small(inode), sizeof inode), "reading an inode"));
  return inode;
}

Status Ext4Volume::SetXattrs(ext2_ino_t number, const XattrMap& xattrs) {
  if (xattrs.empty()) return Ok();
  ext2_xattr_handle* handle = nullptr;
  TRY(Check(ext2fs_xattrs_open(fs(), number, &handle), "setting extended attributes"));
  Status status;
  for (const auto& [name, value] : xattrs) {
    const errcode_t code = ext2fs_xattr_set(handle, name.c_str(), value.data(), value.size());
    if (code == 0) continue;
    status = Ext2Error(code, StrCat("setting the extended attribute ", Escape(name)));
    break;
  }
  const errcode_t closed = ext2fs_xattrs_close(&handle);
  return status.ok() ? Check(closed, "setting extended attributes") : status;
}

Status Ext4Volume::Empty(ext2_ino_t number, ext2_inode_large& inode) {
  return Check(ext2fs_punch(fs(), number, Small(inode), nullptr, 0, ~blk64_t{0}), "emptying a folder");
}

Status Ext4Volume::Close() {
  ext2_filsys fs = fs_.release();
  const errcode_t code = ext2fs_close_free(&fs);
  if (fs != nullptr) fs_.reset(fs);
  return Check(code, "completing the ext4 file system");
}

Result<ExtentWriter> ExtentWriter::Begin(Ext4Volume& volume, ext2_ino_t number, ext2_inode_large& inode) {
  ext2_extent_handle_t handle = nullptr;
  // It makes an inode without any block one with extents.
  TRY(Check(ext2fs_extent_open2(volume.fs(), number, Small(inode), &handle), "beginning a file's extents"));
  return ExtentWriter(volume, number, inode, handle);
}

Result<ExtentWriter::Run> ExtentWriter::Allocate(uint64_t block, uint64_t blocks) {
  Run run;
  // In one piece where there is such a place.
  errcode_t code = EXT2_ET_BLOCK_ALLOC_FAIL;
  for (const int flags : {EXT2_NEWRANGE_MIN_LENGTH, 0}) {
    code = ext2fs_new_range(volume_->fs(), flags, volume_->next_block_, blocks, nullptr, &run.start, &run.blocks);
    if (code != EXT2_ET_BLOCK_ALLOC_FAIL) break;
  }
  TRY(Check(code, "taking blocks"));
  ext2fs_block_alloc_stats_range(volume_->fs(), run.start, static_cast<blk_t>(run.blocks), +1);
  TRY(Check(ext2fs_iblk_add_blocks(volume_->fs(), Small(*inode_), run.blocks), "counting blocks"));
  volume_->next_block_ = run.start + run.blocks;
  TRY(Append(block, run));
  return run;
}

Status ExtentWriter::Append(uint64_t block, const Run& run) {
  const bool follows = pending_.e_len > 0 && pending_.e_lblk + pending_.e_len == block &&
                       pending_.e_pblk + pending_.e_len == run.start &&
                       pending_.e_len + run.blocks <= kMostExtentBlocks;
  if (follows) {
    pending_.e_len += static_cast<uint32_t>(run.blocks);
    return Ok();
  }
  TRY(Flush());
  pending_ = {.e_pblk = run.start, .e_lblk = block, .e_len = static_cast<uint32_t>(run.blocks), .e_flags = 0};
  return Ok();
}

Status ExtentWriter::Flush() {
  if (pending_.e_len == 0) return Ok();
  TRY(Check(ext2fs_extent_insert(handle_.get(), EXT2_EXTENT_INSERT_AFTER, &pending_), "adding an extent"));
  TRY(Check(ext2fs_extent_fix_parents(handle_.get()), "adding an extent"));
  pending_ = {};
  return Ok();
}

Status ExtentWriter::Write(uint64_t block, ByteSpan bytes) {
  while (!bytes.empty()) {
    const uint64_t wanted = std::min<uint64_t>(bytes.size() / kExt4BlockBytes, kMostExtentBlocks);
    ASSIGN_OR_RETURN(const Run run, Allocate(block, wanted));
    TRY(Check(io_channel_write_blk64(volume_->fs()->io, run.start, static_cast<int>(run.blocks), bytes.data()),
              "writing a file's content"));
    bytes = bytes.subspan(run.blocks * kExt4BlockBytes);
    block += run.blocks;
  }
  return Ok();
}

Status ExtentWriter::WriteFolderBlock(uint64_t block, std::string& bytes) {
  ASSIGN_OR_RETURN(const Run run, Allocate(block, 1));
  ext2fs_initialize_dirent_tail(volume_->fs(), EXT2_DIRENT_TAIL(bytes.data(), kExt4BlockBytes));
  return Check(ext2fs_write_dir_block4(volume_->fs(), run.start, bytes.data(), 0, number_), "writing a folder");
}

Status ExtentWriter::Finish() { return Flush(); }

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// Real disks: one of them for this process alone, a part of it as a device of its own, and a file system mounted where
// nobody else sees it. All of it ends with its owner, a killed process included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

// A whole disk, opened so that nobody else can mount, swap to or claim it or a part of it.
class WholeDisk {
 public:
  // kNotFound; kInvalid: no block device, a partition, read-only, sectors of other than 512 bytes; kBusy: it or a part
  // of it is in use (mounted, swap, LVM, dm, md), with by what where that can be found; kIo.
  static Result<WholeDisk> Open(const std::string& path);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }

  // "a gpt partition table", "ext4"; nothing: libblkid finds nothing. kIo.
  Result<std::optional<std::string>> Content() const;
  // Durable. `offset` and `bytes`: whole sectors.
  Status Zero(uint64_t offset, uint64_t bytes, OpContext& ctx) const;
  // The kernel reads the partition table again. kBusy, kIo.
  Status Reread(OpContext& ctx) const;

 private:
  WholeDisk(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
  uint64_t bytes_ = 0;
};

// A part of a disk as a loop device: before there is a partition table, and while the disk is held.
class DiskPart {
 public:
  // The disk outlives it. kNotFound: this kernel has no loop devices; kIo.
  static Result<DiskPart> Attach(const WholeDisk& disk, uint64_t offset, uint64_t bytes, OpContext& ctx);

  const std::string& path() const { return path_; }
  // Writes everything out, and makes sure that no file system is mounted on it any more. kBusy, kIo.
  Status Finish(OpContext& ctx) const;

 private:
  DiskPart(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;  // the kernel detaches the device with its last user
  std::string path_;
};

// A mount in no process's tree of folders (fsmount(2)).
class DetachedMount {
 public:
  // `type`: as mount(8) names it. kIo, kInvalid: what the kernel says.
  static Result<DetachedMount> Open(const std::string& device, const std::string& type);
  // kNotFound: this kernel has no file system `type`, nor a module for it.
  static Status CheckType(const std::string& type);

  // Its top folder, open.
  int fd() const { return top_.get(); }
  // Its name, for this process.
  std::string Path() const;

 private:
  DetachedMount(UniqueFd mount, UniqueFd top) : mount_(std::move(mount)), top_(std::move(top)) {}

  UniqueFd mount_;  // whose end is the mount's; closed last
  UniqueFd top_;
};

}  // namespace hostapp

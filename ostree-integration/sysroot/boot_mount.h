// SPDX-License-Identifier: Apache-2.0
// The boot file system, mounted while something is written to it and no longer: what is not mounted, a power cut does
// not hit, which matters most to FAT.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

// The block device that "PARTUUID=…", "UUID=…" or "LABEL=…" names; a path is itself. kNotFound.
Result<std::string> FindBlockDevice(const std::string& device);

// The UUID of the file system on it, as blkid(8) prints it. kNotFound: no such partition, or none of a file system.
Result<std::string> FileSystemUuid(const std::string& device);

constexpr size_t kFatHeaderBytes = 512;
// Of a FAT's first sector (Microsoft's FAT specification 1.03, and the bit that Linux sets while it has it mounted):
// whether it was in use when the power went. False for anything else.
bool IsUncleanFat(std::span<const std::byte, kFatHeaderBytes> header);

class BootMount {
 public:
  // `device`: "PARTUUID=…", "UUID=…", "LABEL=…" or a path. Where /boot is that file system already, or another process
  // has mounted it, that is used. Otherwise it is mounted on `folder` (made, private) until the last owner is gone. A
  // FAT that was in use when the power went, and that nobody has mounted, is checked before (`fsck.fat -a`; that it
  // could not be is a warning), what that recovers of half-written files is removed, and it is mounted with `dirsync`:
  // there Linux writes a new folder's first cluster before the name that leads to it. kNotFound: no such partition;
  // kIo.
  static Result<std::shared_ptr<const BootMount>> Open(const std::string& device, const std::string& folder,
                                                       OpContext& ctx);
  BootMount(const BootMount&) = delete;
  BootMount& operator=(const BootMount&) = delete;
  // A mount that somebody else uses by now stays.
  ~BootMount();

  const std::string& path() const { return path_; }

 private:
  BootMount(std::string path, bool ours, UniqueFd in_use)
      : path_(std::move(path)), ours_(ours), in_use_(std::move(in_use)) {}

  std::string path_;
  bool ours_;
  UniqueFd in_use_;  // its top folder: nobody else's unmounting succeeds
};

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// The boot file system, mounted while something is written to it and no longer: what is not mounted, a power cut does
// not hit, which matters most to FAT.
#pragma once

#include <memory>
#include <string>

#include "hostapp/base/result.h"

namespace hostapp {

// The block device that "PARTUUID=…", "UUID=…" or "LABEL=…" names; a path is itself. kNotFound.
Result<std::string> FindBlockDevice(const std::string& device);

// The UUID of the file system on it, as blkid(8) prints it. kNotFound: no such partition, or none of a file system.
Result<std::string> FileSystemUuid(const std::string& device);

class BootMount {
 public:
  // `device`: "PARTUUID=…", "UUID=…", "LABEL=…" or a path. Where /boot is that file system already, or another process
  // has mounted it, that is used. Otherwise it is mounted on `folder` (made, private) until the last owner is gone.
  // kNotFound: no such partition; kIo.
  static Result<std::shared_ptr<const BootMount>> Open(const std::string& device, const std::string& folder);
  BootMount(const BootMount&) = delete;
  BootMount& operator=(const BootMount&) = delete;
  // A mount that somebody else uses by now stays.
  ~BootMount();

  const std::string& path() const { return path_; }

 private:
  BootMount(std::string path, bool ours) : path_(std::move(path)), ours_(ours) {}

  std::string path_;
  bool ours_;
};

}  // namespace hostapp

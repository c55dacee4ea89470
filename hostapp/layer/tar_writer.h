// SPDX-License-Identifier: Apache-2.0
// Writes tars that every reader reads in one way: POSIX ustar where it fits, PAX records (sorted) where it does not.
//
// The same members give the same bytes: no user names, no times but the members' own in whole seconds, nothing of the
// machine. Extended attributes are "SCHILY.xattr." records, as containers' tools write them.
#pragma once

#include <cstdint>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "hostapp/layer/tar_reader.h"

namespace hostapp {

class TarWriter {
 public:
  // Does not own `output`.
  explicit TarWriter(ByteSink& output) : output_(output) {}

  // Begins a member: `entry.path` is relative and normalised, "" the root. A file's content follows in as many
  // WriteContent() calls as the caller likes, entry.size bytes of it. kInvalid: a link without a target, size on what
  // is no file, a zero byte in a name. Errors of `output` come through.
  Status Add(const TarEntry& entry);
  Status WriteContent(ByteSpan bytes);
  // The two blocks of zeros. All content must have been written.
  Status Finish();

 private:
  Status WritePadding();

  ByteSink& output_;
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
};

}  // namespace hostapp

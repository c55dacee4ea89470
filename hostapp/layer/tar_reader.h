// SPDX-License-Identifier: Apache-2.0
// A layer's tar stream, read strictly in one pass: POSIX ustar and PAX, with GNU long names, as OCI image-spec
// "layer.md" allows. Everything else, and everything ambiguous, is kCorrupt with the member's name and the rule.
//
// What makes tar dangerous is that two readers can see two archives in one. This one refuses where readers differ, and
// hands on every byte that is not file content (`framing`), from which the tar can be made again bit for bit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"

namespace hostapp {

// A stream that is pulled: layers, archives, decompressors.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the front of `buffer`; 0 is the end.
  virtual Result<size_t> Read(MutableByteSpan buffer) = 0;
};

struct TarEntry {
  enum class Type { kFile, kDirectory, kSymlink, kHardlink, kCharDevice, kBlockDevice, kFifo };

  std::string path;  // relative, components normalised: no "", ".", ".."; the root itself is empty
  Type type = Type::kFile;
  uint32_t mode = 0;  // permission bits with setuid, setgid, sticky: 07777
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;  // bytes of content; kFile only
  int64_t mtime = 0;  // Unix seconds, clamped to 0..2^33
  uint32_t mtime_nanos = 0;
  std::string link_target;  // symlink: as it is; hardlink: normalised like `path`
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  std::map<std::string, std::string, std::less<>> xattrs;  // by full name; values are bytes
};

struct TarLimits {
  uint64_t max_entries = 1'000'000;
  uint64_t max_total_bytes = UINT64_MAX;  // of the whole uncompressed stream
  size_t max_path = 4096;
  size_t max_component = 255;
  size_t max_depth = 256;                  // folders in each other
  size_t max_pax_bytes = size_t{1} << 20;  // of one PAX header
  size_t max_xattrs = 256;
  size_t max_xattr_value = size_t{64} << 10;
};

class TarReader {
 public:
  // `framing`: called with every byte of the stream that is not file content, in order; may be empty.
  TarReader(ByteSource& source, TarLimits limits, std::function<void(ByteSpan)> framing = {});

  // The next member; nothing at the end, which is two zero blocks with nothing but zeros after. What is left of the
  // content before is skipped.
  Result<std::optional<TarEntry>> Next();
  // Content of the member that Next() gave; 0 at its end.
  Result<size_t> ReadContent(MutableByteSpan buffer);

 private:
  ByteSource& source_;
  TarLimits limits_;
  std::function<void(ByteSpan)> framing_;
};

}  // namespace hostapp

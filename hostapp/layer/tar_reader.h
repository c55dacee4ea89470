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
#include <vector>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "hostapp/layer/pax.h"

namespace hostapp {

// A stream that is pulled: layers, archives, decompressors.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the front of `buffer`; 0 is the end.
  virtual Result<size_t> Read(MutableByteSpan buffer) = 0;
  // Passes over up to `size` bytes without giving them, and says how many it did; 0: none, they must be read. For
  // files.
  virtual Result<uint64_t> Skip(uint64_t /*size*/) { return uint64_t{0}; }
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
  // PAX keys that say something about the file and are not kept ("SCHILY.acl.access", …), to be counted and listed.
  std::vector<std::string> unknown_keys;
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

// What is refused, each with its reason: a wrong checksum (only POSIX's sum of unsigned bytes counts); headers that are
// neither POSIX's nor GNU's; type flags other than 0 NUL 1-6 x g L K (so sparse files, volumes, contiguous files); an
// absolute name, "..", an empty name, a trailing slash on what is no directory, a root that is no directory; data in
// what is no file; a type in the mode that is not the type flag's; ids outside 0..2^32-2; device numbers beyond
// Linux's; a hard link to itself or to the root; PAX records that do not parse, a key twice, a global header with more
// than comments; two extended headers of a kind for one member, or PAX and GNU ones mixed; numbers below zero or beyond
// 63 bits; an end that is missing, is one zero block, or has anything but zeros after it; everything over a limit.
// PAX's size always wins over the header's; times outside 0..2^33 are moved to the nearer end.
class TarReader {
 public:
  // `framing`: called with every byte of the stream that is not file content, in order; may be empty. The bytes of a
  // member up to its content have been handed on when Next() gives it, the padding after its content at the next call.
  TarReader(ByteSource& source, TarLimits limits, std::function<void(ByteSpan)> framing = {});

  // The next member; nothing at the end, which is two zero blocks with nothing but zeros after. What is left of the
  // content before is skipped. Not to be called again after an error.
  Result<std::optional<TarEntry>> Next();
  // Content of the member that Next() gave; 0 at its end.
  Result<size_t> ReadContent(MutableByteSpan buffer);
  // Where in the stream the next byte is: after Next(), of the member's content.
  uint64_t position() const { return position_; }

 private:
  // What extended headers said about the member that comes.
  struct Extended {
    std::optional<tar::PaxHeader> pax;
    std::optional<std::string> gnu_path, gnu_link;
  };

  Result<std::optional<TarEntry>> NextMember();
  Result<bool> ReadHeaderBlock();
  Status TakeExtended(char type_flag, uint64_t size, Extended& extended);
  Result<TarEntry> MakeEntry(const Extended& extended);
  Status CheckEnd();
  Status SkipContent();

  Result<size_t> ReadSome(MutableByteSpan buffer);
  Status ReadExactly(MutableByteSpan buffer, std::string_view what);
  Result<std::string> ReadFraming(uint64_t size, std::string_view what);
  Status CountBytes(uint64_t bytes);
  Error Wrong(std::string_view rule) const;

  ByteSource& source_;
  TarLimits limits_;
  std::function<void(ByteSpan)> framing_;

  std::vector<std::byte> buffer_;  // read ahead from the source
  size_t buffer_at_ = 0, buffer_end_ = 0;
  std::string block_;   // the header in hand
  std::string member_;  // its name, escaped, for errors
  uint64_t position_ = 0;
  uint64_t entries_ = 0;
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
};

}  // namespace hostapp

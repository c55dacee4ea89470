// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "hostapp/base/strings.h"
#include "hostapp/layer/tar_fields.h"
#include "hostapp/layer/tar_path.h"

namespace hostapp {
namespace {

using tar::kBlock;

constexpr size_t kReadAhead = size_t{64} << 10;
constexpr uint64_t kMaxId = 0xfffffffe;        // 2^32-1 means "leave it" to chown
constexpr uint64_t kMaxDeviceMajor = 0xfff;    // Linux: 12 bits
constexpr uint64_t kMaxDeviceMinor = 0xfffff;  // and 20
constexpr uint64_t kTypeBits = 0170000;

std::optional<TarEntry::Type> TypeOf(char type_flag) {
  switch (type_flag) {
    case '0':
    case '\0':
      return TarEntry::Type::kFile;
    case '1':
      return TarEntry::Type::kHardlink;
    case '2':
      return TarEntry::Type::kSymlink;
    case '3':
      return TarEntry::Type::kCharDevice;
    case '4':
      return TarEntry::Type::kBlockDevice;
    case '5':
      return TarEntry::Type::kDirectory;
    case '6':
      return TarEntry::Type::kFifo;
    default:
      return std::nullopt;
  }
}

// S_IFMT's bits for a type; 0 where any will do.
uint64_t TypeBitsOf(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::kFile:
      return 0100000;
    case TarEntry::Type::kDirectory:
      return 0040000;
    case TarEntry::Type::kSymlink:
      return 0120000;
    case TarEntry::Type::kCharDevice:
      return 0020000;
    case TarEntry::Type::kBlockDevice:
      return 0060000;
    case TarEntry::Type::kFifo:
      return 0010000;
    case TarEntry::Type::kHardlink:
      return 0;
  }
  return 0;
}

bool IsExtended(char type_flag) { return type_flag == 'x' || type_flag == 'g' || type_flag == 'L' || type_flag == 'K'; }

// A GNU long name: text with a zero byte at its end, and none in it.
std::optional<std::string> GnuName(std::string text) {
  const size_t end = text.find('\0');
  if (end != std::string::npos && !tar::IsZero(std::string_view(text).substr(end))) return std::nullopt;
  text.resize(std::min(end, text.size()));
  return text;
}

}  // namespace

TarReader::TarReader(ByteSource& source, TarLimits limits, std::function<void(ByteSpan)> framing)
    : source_(source), limits_(limits), framing_(std::move(framing)), buffer_(kReadAhead), block_(kBlock, '\0') {}

Error TarReader::Wrong(std::string_view rule) const {
  if (member_.empty()) return Error(Errc::kCorrupt, StrCat("tar at byte ", position_, ": ", rule));
  return Error(Errc::kCorrupt, StrCat("tar member ", member_, ": ", rule));
}

Status TarReader::CountBytes(uint64_t bytes) {
  if (bytes > limits_.max_total_bytes - position_) {
    return Wrong(StrCat("the stream is longer than the ", limits_.max_total_bytes, " bytes allowed"));
  }
  position_ += bytes;
  return Ok();
}

Result<size_t> TarReader::ReadSome(MutableByteSpan buffer) {
  if (buffer.empty()) return size_t{0};
  if (buffer_at_ == buffer_end_) {
    if (buffer.size() >= buffer_.size()) {
      ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer));
      TRY(CountBytes(got));
      return got;
    }
    buffer_at_ = 0;
    ASSIGN_OR_RETURN(buffer_end_, source_.Read(buffer_));
  }
  const size_t size = std::min(buffer.size(), buffer_end_ - buffer_at_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(buffer_at_), size, buffer.begin());
  buffer_at_ += size;
  TRY(CountBytes(size));
  return size;
}

Status TarReader::ReadExactly(MutableByteSpan buffer, std::string_view what) {
  while (!buffer.empty()) {
    ASSIGN_OR_RETURN(const size_t got, ReadSome(buffer));
    if (got == 0) return Wrong(StrCat("the stream ends in the ", what));
    buffer = buffer.subspan(got);
  }
  return Ok();
}

Result<std::string> TarReader::ReadFraming(uint64_t size, std::string_view what) {
  std::string text(size, '\0');
  const auto bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
  TRY(ReadExactly(bytes, what));
  if (framing_) framing_(bytes);
  return text;
}

Status TarReader::SkipContent() {
  const uint64_t buffered = std::min<uint64_t>(content_left_, buffer_end_ - buffer_at_);
  buffer_at_ += buffered;
  content_left_ -= buffered;
  TRY(CountBytes(buffered));
  if (content_left_ > 0) {
    ASSIGN_OR_RETURN(const uint64_t skipped, source_.Skip(content_left_));
    content_left_ -= skipped;
    TRY(CountBytes(skipped));
  }
  std::byte scratch[4096];
  while (content_left_ > 0) {
    const MutableByteSpan piece(scratch, std::min<uint64_t>(content_left_, sizeof scratch));
    TRY(ReadExactly(piece, "content"));
    content_left_ -= piece.size();
  }
  return Ok();
}

Result<size_t> TarReader::ReadContent(MutableByteSpan buffer) {
  if (content_left_ == 0 || buffer.empty()) return size_t{0};
  ASSIGN_OR_RETURN(const size_t got, ReadSome(buffer.first(std::min<uint64_t>(buffer.size(), content_left_))));
  if (got == 0) return Wrong("the stream ends in the content");
  content_left_ -= got;
  return got;
}

Result<std::optional<TarEntry>> TarReader::Next() {
  TRY(SkipContent());
  TRY(ReadFraming(std::exchange(padding_left_, 0), "padding").status());
  member_.clear();
  return NextMember();
}

// False at the end of the archive.
Result<bool> TarReader::ReadHeaderBlock() {
  const auto bytes = std::as_writable_bytes(std::span(block_.data(), block_.size()));
  ASSIGN_OR_RETURN(const size_t got, ReadSome(bytes));
  if (got == 0) return Wrong("the end, two blocks of zeros, is missing");
  TRY(ReadExactly(bytes.subspan(got), "header"));
  if (framing_) framing_(bytes);
  return !tar::IsZero(block_);
}

Status TarReader::CheckEnd() {
  ASSIGN_OR_RETURN(const std::string second, ReadFraming(kBlock, "end: its second block of zeros is missing"));
  if (!tar::IsZero(second)) return Wrong("one block of zeros with more behind it");
  std::vector<std::byte> rest(kBlock * 16);
  for (;;) {
    ASSIGN_OR_RETURN(const size_t got, ReadSome(rest));
    if (got == 0) return Ok();
    const ByteSpan bytes = ByteSpan(rest).first(got);
    if (!tar::IsZero(AsText(bytes))) return Wrong("something other than zeros after the end");
    if (framing_) framing_(bytes);
  }
}

Result<std::optional<TarEntry>> TarReader::NextMember() {
  Extended extended;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, ReadHeaderBlock());
    const bool pending = extended.pax || extended.gnu_path || extended.gnu_link;
    if (!more) {
      if (pending) return Wrong("an extended header without a member");
      TRY(CheckEnd());
      return std::optional<TarEntry>();
    }
    const Result<tar::Header> header = tar::Header::Parse(block_);
    if (!header.ok()) return Wrong(header.error().message());
    const char type_flag = header->type_flag();
    if (!IsExtended(type_flag)) {
      if (++entries_ > limits_.max_entries) return Wrong(StrCat("more than ", limits_.max_entries, " members"));
      ASSIGN_OR_RETURN(TarEntry entry, MakeEntry(extended));
      content_left_ = entry.size;
      padding_left_ = tar::PaddingOf(entry.size);
      return std::optional<TarEntry>(std::move(entry));
    }
    const Result<uint64_t> size = header->Number(tar::kSize, "size");
    if (!size.ok()) return Wrong(size.error().message());
    TRY(TakeExtended(type_flag, *size, extended));
  }
}

Status TarReader::TakeExtended(char type_flag, uint64_t size, Extended& extended) {
  if (size > limits_.max_pax_bytes) {
    return Wrong(StrCat("an extended header of ", size, " bytes, more than the ", limits_.max_pax_bytes, " allowed"));
  }
  ASSIGN_OR_RETURN(std::string text, ReadFraming(size, "extended header"));
  TRY(ReadFraming(tar::PaddingOf(size), "padding").status());
  if (type_flag == 'g') {
    // One for the archive stands before its first member; between a member's headers it would mean who knows what.
    if (extended.pax || extended.gnu_path || extended.gnu_link) return Wrong("a global header between a member's");
    const Status checked = tar::CheckGlobalPaxHeader(text);
    return checked.ok() ? Ok() : Wrong(checked.error().message());
  }
  if (type_flag == 'x') {
    if (extended.pax) return Wrong("two extended headers for one member");
    if (extended.gnu_path || extended.gnu_link) return Wrong("a GNU long name and an extended header for one member");
    Result<tar::PaxHeader> pax = tar::ParsePaxHeader(text, limits_.max_xattrs, limits_.max_xattr_value);
    if (!pax.ok()) return Wrong(pax.error().message());
    extended.pax = *std::move(pax);
    return Ok();
  }
  if (extended.pax) return Wrong("a GNU long name and an extended header for one member");
  std::optional<std::string>& name = type_flag == 'L' ? extended.gnu_path : extended.gnu_link;
  if (name) return Wrong("two GNU long names for one member");
  name = GnuName(std::move(text));
  if (!name) return Wrong("a zero byte in a GNU long name");
  return Ok();
}

Result<TarEntry> TarReader::MakeEntry(const Extended& extended) {
  const tar::PaxHeader none;
  const tar::PaxHeader& pax = extended.pax ? *extended.pax : none;
  const tar::Header header = *tar::Header::Parse(block_);
  const auto make = [&]() -> Result<TarEntry> {
    const std::string name = pax.path ? *pax.path : extended.gnu_path ? *extended.gnu_path : header.Path();
    member_ = Escape(std::string_view(name).substr(0, 300));
    const tar::PathLimits limits{limits_.max_path, limits_.max_component, limits_.max_depth};
    const auto wrong = [](std::string_view rule) { return Error(Errc::kCorrupt, std::string(rule)); };

    TarEntry entry;
    const std::optional<TarEntry::Type> type = TypeOf(header.type_flag());
    if (!type) {
      if (header.type_flag() == 'S') return wrong("a sparse file, which OCI forbids");
      return wrong(StrCat("type flag \"", Escape(std::string(1, header.type_flag())), "\" is none of POSIX's"));
    }
    entry.type = *type;
    ASSIGN_OR_RETURN(entry.path, tar::NormalisePath(name, limits));
    const bool directory = entry.type == TarEntry::Type::kDirectory;
    if (!directory && (name.ends_with('/') || name.ends_with("/.")))
      return wrong("a trailing slash on what is no directory");
    if (entry.path.empty() && !directory) return wrong("the root must be a directory");

    ASSIGN_OR_RETURN(const uint64_t mode, header.Number(tar::kMode, "mode"));
    const uint64_t expected = TypeBitsOf(entry.type);
    if ((mode & kTypeBits) != 0 && expected != 0 && (mode & kTypeBits) != expected) {
      return wrong("the type in the mode is not the type flag's");
    }
    entry.mode = static_cast<uint32_t>(mode & 07777);

    ASSIGN_OR_RETURN(const uint64_t uid, pax.uid ? Result<uint64_t>(*pax.uid) : header.Number(tar::kUid, "uid"));
    ASSIGN_OR_RETURN(const uint64_t gid, pax.gid ? Result<uint64_t>(*pax.gid) : header.Number(tar::kGid, "gid"));
    if (uid > kMaxId || gid > kMaxId) return wrong("an owner outside 0..4294967294");
    entry.uid = static_cast<uint32_t>(uid);
    entry.gid = static_cast<uint32_t>(gid);

    ASSIGN_OR_RETURN(entry.size, pax.size ? Result<uint64_t>(*pax.size) : header.Number(tar::kSize, "size"));
    if (entry.size > 0 && entry.type != TarEntry::Type::kFile) return wrong("content in what is no file");
    constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max() - kBlock;
    if (entry.size > std::min(kMaxSize, limits_.max_total_bytes - position_)) {
      return wrong(StrCat(entry.size, " bytes, more than the ", limits_.max_total_bytes, " allowed for all"));
    }

    ASSIGN_OR_RETURN(const int64_t mtime, header.SignedNumber(tar::kMtime, "time"));
    const tar::PaxTime time = pax.mtime ? *pax.mtime : tar::ClampTime(mtime, 0);
    entry.mtime = time.seconds;
    entry.mtime_nanos = time.nanos;

    if (entry.type == TarEntry::Type::kSymlink || entry.type == TarEntry::Type::kHardlink) {
      entry.link_target = pax.link_path       ? *pax.link_path
                          : extended.gnu_link ? *extended.gnu_link
                                              : std::string(header.Text(tar::kLinkName));
      if (entry.link_target.empty()) return wrong("a link to nothing");
      if (entry.link_target.size() >= limits_.max_path) {
        return wrong(StrCat("a link target longer than ", limits_.max_path - 1, " bytes"));
      }
    }
    if (entry.type == TarEntry::Type::kHardlink) {
      const bool slash = entry.link_target.back() == '/';
      ASSIGN_OR_RETURN(entry.link_target, tar::NormalisePath(entry.link_target, limits).While("hard link target"));
      if (slash || entry.link_target.empty()) return wrong("a hard link to a directory");
      if (entry.link_target == entry.path) return wrong("a hard link to itself");
    }
    if (entry.type == TarEntry::Type::kCharDevice || entry.type == TarEntry::Type::kBlockDevice) {
      ASSIGN_OR_RETURN(const uint64_t major, header.Number(tar::kDeviceMajor, "device number"));
      ASSIGN_OR_RETURN(const uint64_t minor, header.Number(tar::kDeviceMinor, "device number"));
      if (major > kMaxDeviceMajor || minor > kMaxDeviceMinor) return wrong("a device number beyond Linux's");
      entry.device_major = static_cast<uint32_t>(major);
      entry.device_minor = static_cast<uint32_t>(minor);
    }
    entry.xattrs = pax.xattrs;
    entry.unknown_keys = pax.unknown_keys;
    return entry;
  };
  Result<TarEntry> entry = make();
  if (!entry.ok()) return Wrong(entry.error().message());
  return entry;
}

}  // namespace hostapp

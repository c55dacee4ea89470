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

// Makes one member of its headers, rule by rule.
class EntryMaker {
 public:
  EntryMaker(const tar::Header& header, const tar::PaxHeader& pax, const TarLimits& limits, uint64_t bytes_left)
      : header_(header), pax_(pax), limits_(limits), bytes_left_(bytes_left) {}

  Result<TarEntry> Make(std::string_view name, std::string_view link) {
    TRY(TakeType());
    TRY(TakePath(name));
    TRY(TakeMode());
    TRY(TakeOwners());
    TRY(TakeSize());
    TRY(TakeTime());
    TRY(TakeLink(link));
    TRY(TakeDevice());
    entry_.xattrs = pax_.xattrs;
    entry_.unknown_keys = pax_.unknown_keys;
    return std::move(entry_);
  }

 private:
  static Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, std::string(rule)); }
  tar::PathLimits path_limits() const { return {limits_.max_path, limits_.max_component, limits_.max_depth}; }
  bool Is(TarEntry::Type type) const { return entry_.type == type; }

  Status TakeType() {
    const std::optional<TarEntry::Type> type = TypeOf(header_.type_flag());
    if (type) {
      entry_.type = *type;
      return Ok();
    }
    if (header_.type_flag() == 'S') return Wrong("a sparse file, which OCI forbids");
    return Wrong(StrCat("type flag \"", Escape(std::string(1, header_.type_flag())), "\" is none of POSIX's"));
  }

  Status TakePath(std::string_view name) {
    ASSIGN_OR_RETURN(entry_.path, tar::NormalisePath(name, path_limits()));
    if (Is(TarEntry::Type::kDirectory)) return Ok();
    if (name.ends_with('/') || name.ends_with("/.")) return Wrong("a trailing slash on what is no directory");
    return entry_.path.empty() ? Status(Wrong("the root must be a directory")) : Ok();
  }

  Status TakeMode() {
    ASSIGN_OR_RETURN(const uint64_t mode, header_.Number(tar::kMode, "mode"));
    const uint64_t expected = TypeBitsOf(entry_.type);
    if ((mode & kTypeBits) != 0 && expected != 0 && (mode & kTypeBits) != expected) {
      return Wrong("the type in the mode is not the type flag's");
    }
    entry_.mode = static_cast<uint32_t>(mode & 07777);
    return Ok();
  }

  Result<uint64_t> NumberOf(const std::optional<uint64_t>& in_pax, tar::Field field, std::string_view what) const {
    if (in_pax) return *in_pax;
    return header_.Number(field, what);
  }

  Status TakeOwners() {
    ASSIGN_OR_RETURN(const uint64_t uid, NumberOf(pax_.uid, tar::kUid, "uid"));
    ASSIGN_OR_RETURN(const uint64_t gid, NumberOf(pax_.gid, tar::kGid, "gid"));
    if (uid > kMaxId || gid > kMaxId) return Wrong("an owner outside 0..4294967294");
    entry_.uid = static_cast<uint32_t>(uid);
    entry_.gid = static_cast<uint32_t>(gid);
    return Ok();
  }

  Status TakeSize() {
    ASSIGN_OR_RETURN(entry_.size, NumberOf(pax_.size, tar::kSize, "size"));
    if (entry_.size > 0 && !Is(TarEntry::Type::kFile)) return Wrong("content in what is no file");
    constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max() - kBlock;
    if (entry_.size <= std::min(kMaxSize, bytes_left_)) return Ok();
    return Wrong(
        StrCat(entry_.size, " bytes, more than the ", std::min(kMaxSize, limits_.max_total_bytes), " allowed for all"));
  }

  Status TakeTime() {
    ASSIGN_OR_RETURN(const int64_t mtime, header_.SignedNumber(tar::kMtime, "time"));
    const tar::PaxTime time = pax_.mtime ? *pax_.mtime : tar::ClampTime(mtime, 0);
    entry_.mtime = time.seconds;
    entry_.mtime_nanos = time.nanos;
    return Ok();
  }

  Status TakeLink(std::string_view target) {
    const bool hard = Is(TarEntry::Type::kHardlink);
    if (!hard && !Is(TarEntry::Type::kSymlink)) return Ok();
    if (target.empty()) return Wrong("a link to nothing");
    if (target.size() >= limits_.max_path) {
      return Wrong(StrCat("a link target longer than ", limits_.max_path - 1, " bytes"));
    }
    entry_.link_target = target;
    if (!hard) return Ok();
    ASSIGN_OR_RETURN(entry_.link_target, tar::NormalisePath(target, path_limits()).While("hard link target"));
    if (target.ends_with('/') || entry_.link_target.empty()) return Wrong("a hard link to a directory");
    return entry_.link_target == entry_.path ? Status(Wrong("a hard link to itself")) : Ok();
  }

  Status TakeDevice() {
    if (!Is(TarEntry::Type::kCharDevice) && !Is(TarEntry::Type::kBlockDevice)) return Ok();
    ASSIGN_OR_RETURN(const uint64_t major, header_.Number(tar::kDeviceMajor, "device number"));
    ASSIGN_OR_RETURN(const uint64_t minor, header_.Number(tar::kDeviceMinor, "device number"));
    if (major > kMaxDeviceMajor || minor > kMaxDeviceMinor) return Wrong("a device number beyond Linux's");
    entry_.device_major = static_cast<uint32_t>(major);
    entry_.device_minor = static_cast<uint32_t>(minor);
    return Ok();
  }

  const tar::Header& header_;
  const tar::PaxHeader& pax_;
  const TarLimits& limits_;
  uint64_t bytes_left_;
  TarEntry entry_;
};

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
  const std::string name = pax.path ? *pax.path : extended.gnu_path ? *extended.gnu_path : header.Path();
  const std::string link = pax.link_path       ? *pax.link_path
                           : extended.gnu_link ? *extended.gnu_link
                                               : std::string(header.Text(tar::kLinkName));
  member_ = Escape(std::string_view(name).substr(0, 300));
  Result<TarEntry> entry = EntryMaker(header, pax, limits_, limits_.max_total_bytes - position_).Make(name, link);
  if (!entry.ok()) return Wrong(entry.error().message());
  return entry;
}

}  // namespace hostapp

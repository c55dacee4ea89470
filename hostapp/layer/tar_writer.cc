// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_writer.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "hostapp/base/strings.h"
#include "hostapp/layer/tar_fields.h"

namespace hostapp {
namespace {

using tar::Field;
using tar::kBlock;

char TypeFlagOf(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::kFile:
      return '0';
    case TarEntry::Type::kHardlink:
      return '1';
    case TarEntry::Type::kSymlink:
      return '2';
    case TarEntry::Type::kCharDevice:
      return '3';
    case TarEntry::Type::kBlockDevice:
      return '4';
    case TarEntry::Type::kDirectory:
      return '5';
    case TarEntry::Type::kFifo:
      return '6';
  }
  return '0';
}

bool IsPlainAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// "length key=value\n", where the length counts its own digits.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (StrCat(length).size() + rest != length) ++length;
  return StrCat(length, ' ', key, '=', value, '\n');
}

class Block {
 public:
  Block() : bytes_(kBlock, '\0') { Put(tar::kMagic, tar::kPosixMagic); }

  void Put(Field field, std::string_view text) {
    const std::string_view fitting = text.substr(0, field.size);
    bytes_.replace(field.offset, fitting.size(), fitting);
  }
  // False where it does not fit; the field is zero then.
  bool PutNumber(Field field, uint64_t value) {
    char text[32];
    const int digits = static_cast<int>(field.size) - 1;
    const bool fits = digits * 3 >= 64 || value >> (digits * 3) == 0;
    std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(fits ? value : 0));
    Put(field, text);
    return fits;
  }
  // False where neither the name field nor prefix and name take it; it is cut then.
  bool PutPath(std::string_view path) {
    Put(tar::kName, path);
    if (path.size() <= tar::kName.size) return true;
    // The slash that ends the prefix: as far to the right as the prefix reaches, with a name left behind it.
    const size_t slash = path.rfind('/', std::min(tar::kPrefix.size, path.size() - 2));
    if (slash == std::string_view::npos || slash == 0 || path.size() - slash - 1 > tar::kName.size) return false;
    bytes_.replace(tar::kName.offset, tar::kName.size, tar::kName.size, '\0');
    Put(tar::kName, path.substr(slash + 1));
    Put(tar::kPrefix, path.substr(0, slash));
    return true;
  }
  ByteSpan Finish() {
    char text[16];
    std::snprintf(text, sizeof text, "%06o", tar::ChecksumOf(bytes_));
    Put(tar::kChecksum, std::string_view(text, 7));
    bytes_[tar::kChecksum.offset + 7] = ' ';
    return AsBytes(bytes_);
  }

 private:
  std::string bytes_;
};

// A name for the header and, where that is not enough, for the extended one.
void PutText(std::map<std::string, std::string>& records, std::string_view key, std::string_view text, bool fits) {
  if (fits && IsPlainAscii(text)) return;
  records.emplace(key, text);
  if (!IsValidUtf8(text)) records.emplace("hdrcharset", "BINARY");
}

struct Headers {
  Block block;
  std::map<std::string, std::string> records;
};

Headers MakeHeaders(const TarEntry& entry) {
  Headers out;
  Block& block = out.block;
  std::string path = entry.path.empty() ? "." : entry.path;
  if (entry.type == TarEntry::Type::kDirectory) path += '/';
  PutText(out.records, "path", path, block.PutPath(path));
  if (!entry.link_target.empty()) {
    block.Put(tar::kLinkName, entry.link_target);
    PutText(out.records, "linkpath", entry.link_target, entry.link_target.size() <= tar::kLinkName.size);
  }
  const auto number = [&](Field field, const char* key, uint64_t value) {
    if (!block.PutNumber(field, value)) out.records.emplace(key, StrCat(value));
  };
  block.PutNumber(tar::kMode, entry.mode & 07777);
  number(tar::kUid, "uid", entry.uid);
  number(tar::kGid, "gid", entry.gid);
  number(tar::kSize, "size", entry.size);
  number(tar::kMtime, "mtime", static_cast<uint64_t>(tar::ClampTime(entry.mtime, 0).seconds));
  block.PutNumber(tar::kDeviceMajor, entry.device_major);
  block.PutNumber(tar::kDeviceMinor, entry.device_minor);
  const char type_flag = TypeFlagOf(entry.type);
  block.Put(tar::kTypeFlag, std::string_view(&type_flag, 1));
  for (const auto& [name, value] : entry.xattrs) out.records.emplace(StrCat("SCHILY.xattr.", name), value);
  return out;
}

Status CheckEntry(const TarEntry& entry) {
  const auto wrong = [&](std::string_view rule) {
    return Error(Errc::kInvalid, StrCat("tar member ", Escape(entry.path), ": ", rule));
  };
  const bool link = entry.type == TarEntry::Type::kSymlink || entry.type == TarEntry::Type::kHardlink;
  if (link == entry.link_target.empty()) return wrong("a target goes with a link, and only with one");
  if (entry.size > 0 && entry.type != TarEntry::Type::kFile) return wrong("only a file has content");
  if (entry.path.find('\0') != std::string::npos || entry.link_target.find('\0') != std::string::npos) {
    return wrong("a zero byte in a name");
  }
  return Ok();
}

}  // namespace

Status TarWriter::WritePadding() {
  static constexpr std::byte kZeros[kBlock] = {};
  return output_.Write(ByteSpan(kZeros).first(std::exchange(padding_left_, 0)));
}

Status TarWriter::Add(const TarEntry& entry) {
  CHECK(content_left_ == 0);
  TRY(CheckEntry(entry));
  Headers headers = MakeHeaders(entry);
  if (!headers.records.empty()) {
    std::string text;
    for (const auto& [key, value] : headers.records) text += PaxRecord(key, value);
    Block extended;
    extended.PutPath("././@PaxHeader");
    extended.PutNumber(tar::kMode, 0644);
    for (const Field field : {tar::kUid, tar::kGid, tar::kMtime, tar::kDeviceMajor, tar::kDeviceMinor}) {
      extended.PutNumber(field, 0);
    }
    extended.PutNumber(tar::kSize, text.size());
    extended.Put(tar::kTypeFlag, "x");
    TRY(output_.Write(extended.Finish()));
    TRY(output_.Write(AsBytes(text)));
    padding_left_ = tar::PaddingOf(text.size());
    TRY(WritePadding());
  }
  TRY(output_.Write(headers.block.Finish()));
  content_left_ = entry.size;
  padding_left_ = tar::PaddingOf(entry.size);
  return Ok();
}

Status TarWriter::WriteContent(ByteSpan bytes) {
  CHECK(bytes.size() <= content_left_);
  TRY(output_.Write(bytes));
  content_left_ -= bytes.size();
  return content_left_ == 0 ? WritePadding() : Ok();
}

Status TarWriter::Finish() {
  CHECK(content_left_ == 0);
  return output_.Write(AsBytes(std::string(2 * kBlock, '\0')));
}

}  // namespace hostapp

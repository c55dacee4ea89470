// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/pax.h"

#include <set>

#include "hostapp/base/strings.h"

namespace hostapp::tar {
namespace {

constexpr size_t kMaxXattrName = 255;
constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";

Error WrongRecord(std::string_view rule) { return Error(Errc::kCorrupt, StrCat("extended header: ", rule)); }

struct Record {
  std::string_view key, value;
};

// Takes the first record off the front of `text`.
Result<Record> TakeRecord(std::string_view& text) {
  const size_t space = text.find(' ');
  // Nowhere (npos) is beyond the eighth character too.
  if (space > 8 || text[0] == '0') return WrongRecord("a record without a length");
  const std::optional<uint64_t> length = ParseUint64(text.substr(0, space));
  if (!length || *length <= space + 2 || *length > text.size()) return WrongRecord("a record of impossible length");
  const std::string_view record = text.substr(space + 1, *length - space - 1);
  const size_t equals = record.find('=');
  if (record.back() != '\n') return WrongRecord("a record that does not end in a newline");
  if (equals == 0 || equals == std::string_view::npos) return WrongRecord("a record without a key");
  text.remove_prefix(*length);
  const Record out{record.substr(0, equals), record.substr(equals + 1, record.size() - equals - 2)};
  if (out.key.find('\0') != std::string_view::npos) return WrongRecord("a zero byte in a key");
  return out;
}

Result<std::string> ParsePath(const Record& record) {
  if (record.value.empty()) return WrongRecord(StrCat(record.key, " is empty"));
  if (record.value.find('\0') != std::string_view::npos) return WrongRecord(StrCat("a zero byte in ", record.key));
  return std::string(record.value);
}

Result<uint64_t> ParseWhole(const Record& record) {
  const std::optional<uint64_t> value = ParseUint64(record.value);
  if (!value)
    return WrongRecord(StrCat(record.key, " \"", Escape(record.value.substr(0, 40)), "\" is no whole number"));
  return *value;
}

bool AreDigits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

// [-]digits[.digits]; however long.
Result<PaxTime> ParseTime(const Record& record) {
  std::string_view text = record.value;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  if (whole.empty() || !AreDigits(whole) || !AreDigits(fraction)) {
    return WrongRecord(StrCat(record.key, " \"", Escape(record.value.substr(0, 40)), "\" is no time"));
  }
  if (negative) return PaxTime{};
  fraction.resize(9, '0');
  const std::optional<uint64_t> seconds = ParseUint64(whole);
  if (!seconds || *seconds >= static_cast<uint64_t>(kMaxMtime)) return PaxTime{kMaxMtime, 0};
  return PaxTime{static_cast<int64_t>(*seconds), static_cast<uint32_t>(*ParseUint64(fraction))};
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::string> UrlDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

// libarchive leaves the padding out.
std::optional<std::string> UnpaddedBase64Decode(std::string_view text) {
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  return Base64Decode(padded);
}

class Parser {
 public:
  Parser(size_t max_xattrs, size_t max_xattr_value) : max_xattrs_(max_xattrs), max_xattr_value_(max_xattr_value) {}

  Result<PaxHeader> Run(std::string_view text) {
    while (!text.empty()) {
      ASSIGN_OR_RETURN(const Record record, TakeRecord(text));
      if (!seen_.emplace(record.key).second) return WrongRecord(StrCat("the key ", Escape(record.key), " twice"));
      TRY(Take(record));
    }
    // libarchive writes each attribute in both forms; the one in plain bytes counts.
    for (auto& [name, value] : encoded_) out_.xattrs.try_emplace(name, std::move(value));
    if (out_.xattrs.size() > max_xattrs_) return WrongRecord(StrCat("more than ", max_xattrs_, " extended attributes"));
    return std::move(out_);
  }

 private:
  Status Take(const Record& record) {
    const std::string_view key = record.key;
    if (key.starts_with(kSchilyXattr)) return TakeXattr(key.substr(kSchilyXattr.size()), record.value, out_.xattrs);
    if (key.starts_with(kLibarchiveXattr)) return TakeEncodedXattr(key.substr(kLibarchiveXattr.size()), record.value);
    if (key.starts_with("GNU.sparse.") || key == "SCHILY.realsize")
      return WrongRecord("a sparse file, which OCI forbids");
    if (key == "path") return Assign(out_.path, ParsePath(record));
    if (key == "linkpath") return Assign(out_.link_path, ParsePath(record));
    if (key == "size") return Assign(out_.size, ParseWhole(record));
    if (key == "uid") return Assign(out_.uid, ParseWhole(record));
    if (key == "gid") return Assign(out_.gid, ParseWhole(record));
    if (key == "mtime") return Assign(out_.mtime, ParseTime(record));
    if (key == "hdrcharset") return CheckCharset(record.value);
    // Names of owners mean nothing on another system; the rest is how the archive was made.
    for (const std::string_view known : {"atime", "ctime", "uname", "gname", "comment", "LIBARCHIVE.creationtime",
                                         "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink"}) {
      if (key == known) return Ok();
    }
    out_.unknown_keys.emplace_back(key);
    return Ok();
  }

  template <typename T>
  static Status Assign(std::optional<T>& to, Result<T> value) {
    if (!value.ok()) return std::move(value).error();
    to = *std::move(value);
    return Ok();
  }

  static Status CheckCharset(std::string_view value) {
    if (value == "BINARY" || value == "ISO-IR 10646 2000 UTF-8") return Ok();
    return WrongRecord(StrCat("character set \"", Escape(value.substr(0, 40)), "\""));
  }

  Status TakeXattr(std::string_view name, std::string_view value,
                   std::map<std::string, std::string, std::less<>>& into) const {
    if (name.empty() || name.size() > kMaxXattrName || name.find('\0') != std::string_view::npos) {
      return WrongRecord("an extended attribute's name is empty, longer than 255 bytes or has a zero byte");
    }
    if (value.size() > max_xattr_value_) {
      return WrongRecord(StrCat("the extended attribute ", Escape(name), " has ", value.size(),
                                " bytes, more than the ", max_xattr_value_, " allowed"));
    }
    if (into.size() == max_xattrs_) return WrongRecord(StrCat("more than ", max_xattrs_, " extended attributes"));
    if (!into.emplace(name, value).second)
      return WrongRecord(StrCat("the extended attribute ", Escape(name), " twice"));
    return Ok();
  }

  Status TakeEncodedXattr(std::string_view encoded_name, std::string_view encoded_value) {
    const auto name = UrlDecode(encoded_name);
    const auto value = UnpaddedBase64Decode(encoded_value);
    if (!name || !value) return WrongRecord("an encoded extended attribute that does not decode");
    return TakeXattr(*name, *value, encoded_);
  }

  size_t max_xattrs_, max_xattr_value_;
  std::set<std::string, std::less<>> seen_;
  std::map<std::string, std::string, std::less<>> encoded_;
  PaxHeader out_;
};

}  // namespace

Result<PaxHeader> ParsePaxHeader(std::string_view text, size_t max_xattrs, size_t max_xattr_value) {
  return Parser(max_xattrs, max_xattr_value).Run(text);
}

Status CheckGlobalPaxHeader(std::string_view text) {
  while (!text.empty()) {
    ASSIGN_OR_RETURN(const Record record, TakeRecord(text));
    if (record.key != "comment")
      return WrongRecord(StrCat("a global header that sets ", Escape(record.key.substr(0, 100))));
  }
  return Ok();
}

PaxTime ClampTime(int64_t seconds, uint32_t nanos) {
  if (seconds < 0) return {0, 0};
  if (seconds >= kMaxMtime) return {kMaxMtime, 0};
  return {seconds, nanos};
}

}  // namespace hostapp::tar

// SPDX-License-Identifier: Apache-2.0
// Tars made by hand, byte by byte, well-formed or as hostile as wanted.
//
//   const std::string tar = TarBytes().File("etc/motd", "hello\n").Symlink("d", "/etc").End();
//   TarBytes().Header({.name = "x", .type = 'S', .size = "00000000001"}).Raw(Block("x")).End();
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hostapp::testing {

// One header's fields as text, placed as they are; a number shorter than its field is followed by zero bytes.
struct TarHeader {
  std::string name = "x";
  std::string mode = "0000644";
  std::string uid = "0000000";
  std::string gid = "0000000";
  std::string size = "00000000000";
  std::string mtime = "00000000000";
  char type = '0';
  std::string link_name = {};
  std::string magic = std::string("ustar\00000", 8);
  std::string device_major = {};
  std::string device_minor = {};
  std::string prefix = {};
  std::string checksum = {};  // empty: the right one
};

inline std::string Octal(uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

// "17 path=some/name\n": the length counts itself.
inline std::string PaxRecord(std::string_view key, std::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  std::string out = std::to_string(length);
  out.append(" ").append(key).append("=").append(value).append("\n");
  return out;
}

class TarBytes {
 public:
  TarBytes& File(std::string name, std::string_view content, TarHeader header = {}) {
    header.name = std::move(name);
    header.size = Octal(content.size(), 11);
    return Header(header).Content(content);
  }
  TarBytes& Dir(std::string name, TarHeader header = {}) {
    header.name = std::move(name);
    header.type = '5';
    if (header.mode == "0000644") header.mode = "0000755";
    return Header(header);
  }
  TarBytes& Symlink(std::string name, std::string target) { return Link('2', std::move(name), std::move(target)); }
  TarBytes& Hardlink(std::string name, std::string target) { return Link('1', std::move(name), std::move(target)); }
  TarBytes& Device(std::string name, char type, uint32_t major, uint32_t minor) {
    return Header(
        {.name = std::move(name), .type = type, .device_major = Octal(major, 7), .device_minor = Octal(minor, 7)});
  }
  // An extended header of records for the member that follows ('x'), or for all ('g').
  TarBytes& Pax(const std::vector<std::pair<std::string, std::string>>& records, char type = 'x') {
    std::string text;
    for (const auto& [key, value] : records) text += PaxRecord(key, value);
    return Extension(type, text);
  }
  // 'L' or 'K', with the zero byte that GNU tar puts at the end.
  TarBytes& GnuLong(char type, std::string name) { return Extension(type, name + '\0'); }
  // A member of any type flag with any text as its content: 'x', 'g', 'L', 'K'.
  TarBytes& Extension(char type, std::string_view text) {
    Header({.name = "././@Extension", .size = Octal(text.size(), 11), .type = type});
    return Content(text);
  }

  TarBytes& Header(const TarHeader& header) {
    std::string block(512, '\0');
    const auto put = [&](size_t offset, size_t size, std::string_view text) {
      block.replace(offset, std::min(size, text.size()), text.substr(0, size));
    };
    put(0, 100, header.name);
    put(100, 8, header.mode);
    put(108, 8, header.uid);
    put(116, 8, header.gid);
    put(124, 12, header.size);
    put(136, 12, header.mtime);
    block[156] = header.type;
    put(157, 100, header.link_name);
    put(257, 8, header.magic);
    put(329, 8, header.device_major);
    put(337, 8, header.device_minor);
    put(345, 155, header.prefix);
    put(148, 8, header.checksum.empty() ? RightChecksum(block) : header.checksum);
    bytes_ += block;
    return *this;
  }
  // Content and its padding.
  TarBytes& Content(std::string_view content) {
    bytes_.append(content);
    bytes_.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }
  TarBytes& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }

  // As it is, without an end.
  const std::string& bytes() const { return bytes_; }
  // With the two blocks of zeros.
  std::string End() const { return bytes_ + std::string(1024, '\0'); }

 private:
  TarBytes& Link(char type, std::string name, std::string target) {
    return Header({.name = std::move(name), .mode = "0000777", .type = type, .link_name = std::move(target)});
  }
  static std::string RightChecksum(std::string block) {
    block.replace(148, 8, 8, ' ');
    uint32_t sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    return Octal(sum, 6) + std::string("\0 ", 2);
  }

  std::string bytes_;
};

}  // namespace hostapp::testing

// SPDX-License-Identifier: Apache-2.0
// PAX extended headers. A fuzzer does not count lengths: every other input is a list of records, one a line, whose
// lengths are put in front of them here.
#include <string>

#include "hostapp/base/strings.h"
#include "hostapp/layer/pax.h"
#include "tests/fuzz/selected.h"
#include "tests/support/tar_bytes.h"

namespace hostapp {
namespace {

using fuzz::Require;
using testing::PaxRecord;

constexpr size_t kMaxXattrs = 16, kMaxXattrValue = 64;

std::string Written(const tar::PaxHeader& pax) {
  std::string text;
  const auto add = [&](std::string_view key, const auto& value) {
    if (value) text += PaxRecord(key, StrCat(*value));
  };
  add("path", pax.path);
  add("linkpath", pax.link_path);
  add("size", pax.size);
  add("uid", pax.uid);
  add("gid", pax.gid);
  if (pax.mtime) {
    const std::string nanos = StrCat(1'000'000'000 + pax.mtime->nanos).substr(1);
    text += PaxRecord("mtime", StrCat(pax.mtime->seconds, ".", nanos));
  }
  for (const auto& [name, value] : pax.xattrs) text += PaxRecord(StrCat("SCHILY.xattr.", name), value);
  for (const std::string& key : pax.unknown_keys) text += PaxRecord(key, "x");
  return text;
}

void CheckHeader(std::string_view text) {
  const auto pax = tar::ParsePaxHeader(text, kMaxXattrs, kMaxXattrValue);
  if (!pax.ok()) {
    Require(pax.error().code() == Errc::kCorrupt);
    return;
  }
  for (const auto& path : {pax->path, pax->link_path}) {
    if (path) Require(!path->empty() && path->find('\0') == path->npos);
  }
  Require(pax->xattrs.size() <= kMaxXattrs);
  for (const auto& [name, value] : pax->xattrs) {
    Require(!name.empty() && name.size() <= 255 && value.size() <= kMaxXattrValue);
  }
  if (pax->mtime) {
    Require(pax->mtime->seconds >= 0 && pax->mtime->seconds <= tar::kMaxMtime && pax->mtime->nanos < 1'000'000'000);
    const tar::PaxTime same = tar::ClampTime(pax->mtime->seconds, pax->mtime->nanos);
    Require(same.seconds == pax->mtime->seconds && same.nanos == pax->mtime->nanos);
  }
  // An attribute's name may have a '=' in it where libarchive's form says so; the plain form ends there.
  for (const auto& [name, value] : pax->xattrs) {
    if (name.find('=') != name.npos) return;
  }
  const std::string written = Written(*pax);
  const auto again = tar::ParsePaxHeader(written, kMaxXattrs, kMaxXattrValue);
  Require(again.ok() && Written(*again) == written);
}

// Comments and nothing else.
void CheckGlobal(std::string_view text) {
  const Status checked = tar::CheckGlobalPaxHeader(text);
  if (!checked.ok()) Require(checked.error().code() == Errc::kCorrupt);
  if (checked.ok() && !text.empty()) Require(text.find(" comment=") != text.npos && text.ends_with('\n'));
}

std::string WithLengths(std::string_view text) {
  std::string records;
  for (const std::string_view line : Split(text, '\n')) {
    const size_t equals = line.find('=');
    if (equals != line.npos) records += PaxRecord(line.substr(0, equals), line.substr(equals + 1));
  }
  return records;
}

void CheckRecords(std::string_view text) {
  const std::string records = WithLengths(text);
  CheckHeader(records);
  CheckGlobal(records);
}

void CheckClamp(std::string_view text) {
  if (text.size() < 8) return;
  uint64_t seconds = 0;
  for (const char c : text.substr(0, 8)) seconds = seconds << 8 | static_cast<unsigned char>(c);
  const tar::PaxTime time = tar::ClampTime(static_cast<int64_t>(seconds), 7);
  Require(time.seconds >= 0 && time.seconds <= tar::kMaxMtime);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckRecords, CheckHeader, CheckGlobal, CheckClamp};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}

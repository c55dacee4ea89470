// SPDX-License-Identifier: Apache-2.0
// The kernel command line and the other texts that the helper reads: every view points into the input, and what was
// understood means the same when it is written down plainly.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/helper/json_string.h"
#include "initramfs/helper/root_device.h"
#include "initramfs/helper/superblock.h"

namespace {

using namespace hostapp::bootsel;    // NOLINT: the harness speaks of nothing else
using namespace hostapp::initramfs;  // NOLINT

void RequireInside(std::string_view all, std::string_view part) {
  if (part.empty()) return;
  if (part.data() < all.data() || part.data() + part.size() > all.data() + all.size()) abort();
}

void CheckAsked(std::string_view text) {
  const Asked asked = ParseAsked(text);
  if (!asked.Any()) return;
  std::array<char, kDigestHexChars> hex{};
  std::string plain = "hostapp.deployment=" + std::to_string(asked.serial) + " hostapp.boot-set=";
  plain += FormatDigest(asked.boot_set, hex);
  if (ParseAsked(plain) != asked) abort();
  if (ParseAsked(plain + " " + plain).Any()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ArgumentReader reader(text);
  for (Argument argument; reader.Next(argument);) {
    RequireInside(text, argument.key);
    RequireInside(text, argument.value);
  }
  CheckAsked(text);
  RequireInside(text, LastValue(text, "root"));
  RequireInside(text, ParseRoot(text).value);
  RequireInside(text, FindString(text, "boot_set"));
  const auto bytes = std::as_bytes(std::span(data, size));
  ParseSuperblock(bytes, bytes);
  GptEntryOffset(bytes, 512, 3);
  GptPartUuid(bytes);
  GptPartLabel(bytes);
  MbrPartUuid(bytes, 1);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The kernel command line and the other texts that the helper reads: every view points into the input, and what was
// understood means the same when it is written down plainly.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
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

// Each argument is found by its key.
void CheckArguments(std::string_view text) {
  ArgumentReader reader(text);
  for (Argument argument; reader.Next(argument);) {
    RequireInside(text, argument.key);
    RequireInside(text, argument.value);
    if (!HasArgument(text, argument.key)) abort();
  }
}

void CheckManifestDigest(std::string_view text) {
  ManifestDigest digest;
  std::array<char, kManifestDigestMaxChars> written{};
  if (!FormatManifestDigest(digest, written).empty()) abort();
  if (ParseManifestDigest(text, digest) && FormatManifestDigest(digest, written) != text) abort();
}

// A disk's own names are short, and the same whoever writes them.
void CheckDisk(std::span<const std::byte> bytes) {
  for (const Superblock& found : {ParseSuperblock(bytes, bytes), ParseSuperblock(bytes, {})}) {
    if (found.type.empty() && (found.mountable || !found.uuid.view().empty())) abort();
    if (found.mountable && found.uuid.view().size() != 36) abort();
    if (!EqualIgnoringCase(found.uuid.view(), found.uuid.view())) abort();
  }
  for (const uint32_t number : {0U, 1U, 3U, 255U, 256U}) {
    const uint64_t at = GptEntryOffset(bytes, 512, number);
    if (at != 0 && number == 0) abort();
    if (MbrPartUuid(bytes, number).view().size() != 0 && MbrPartUuid(bytes, number).view().size() != 11) abort();
  }
  if (bytes.size() >= 32 && GptPartUuid(bytes).view().size() != 36) abort();
  if (GptPartLabel(bytes).view().size() > 36) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckArguments(text);
  CheckAsked(text);
  CheckManifestDigest(text);
  RequireInside(text, LastValue(text, "root"));
  RequireInside(text, ParseRoot(text).value);
  RequireInside(text, FindString(text, "boot_set"));
  if (EqualIgnoringCase(text, "ab-CD") && text.size() != 5) abort();
  CheckDisk(std::as_bytes(std::span(data, size)));
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/kernel_image.h"

#include <cstdint>
#include <optional>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr uint16_t kPeMachineAmd64 = 0x8664;
constexpr uint16_t kPeMachineArm64 = 0xaa64;

uint32_t LittleEndian(ByteSpan bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= std::to_integer<uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

bool HasAt(ByteSpan bytes, size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && AsText(bytes.subspan(at, magic.size())) == magic;
}

// The machine of a PE header (Microsoft's PE format: its offset at 0x3c, the machine after "PE\0\0").
std::optional<uint32_t> PeMachine(ByteSpan head) {
  if (!HasAt(head, 0, "MZ") || head.size() < 0x40) return std::nullopt;
  const uint32_t at = LittleEndian(head, 0x3c, 4);
  if (at > head.size() || !HasAt(head, at, std::string_view("PE\0\0", 4)) || head.size() < at + 6) return std::nullopt;
  return LittleEndian(head, at + 4, 2);
}

}  // namespace

Status KernelImageFits(ByteSpan head, std::string_view architecture) {
  const bool amd64 = architecture == "amd64";
  const bool arm64 = architecture == "arm64";
  if (!amd64 && !arm64) return Ok();
  const std::optional<uint32_t> machine = PeMachine(head);
  if (machine && *machine != (amd64 ? kPeMachineAmd64 : kPeMachineArm64)) {
    return Error(Errc::kCorrupt,
                 StrCat("the kernel is for another machine (PE machine ", *machine, ") than ", architecture));
  }
  const bool own_format = amd64 ? HasAt(head, 0x202, "HdrS") : HasAt(head, 0x38, "ARM\x64");
  if (machine || own_format) return Ok();
  return Error(Errc::kCorrupt, StrCat("the kernel is neither a Linux boot image for ", architecture,
                                      " nor a PE image: no boot loader can start it"));
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// A disk's partition table, read in order to grow its last partition: nothing else changes, and a second time there is
// nothing to do. Checksums are made right for every other input, and the helper reads the same table the same way.
#include <algorithm>
#include <string>

#include "hostapp/disk/gpt_format.h"
#include "hostapp/disk/gpt_growth.h"
#include "hostapp/disk/uuid.h"
#include "initramfs/helper/superblock.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

constexpr size_t kEntriesAt = 2 * kSectorBytes;
constexpr uint64_t kOffset = 2048 * kSectorBytes;

uint64_t Get(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void Set(std::string& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}

std::string Repaired(std::string head) {
  std::copy_n("EFI PART", 8, head.begin() + kSectorBytes);
  const std::string_view entries = std::string_view(head).substr(kEntriesAt, kGptEntries * kGptEntryBytes);
  Set(head, kSectorBytes + 88, GptCrc(entries));
  Set(head, kSectorBytes + 16, 0);
  const uint64_t size = std::min<uint64_t>(Get(head, kSectorBytes + 12, 4), kSectorBytes);
  Set(head, kSectorBytes + 16, GptCrc(std::string_view(head).substr(kSectorBytes, size)));
  return head;
}

// The bytes of the partition that begins at kOffset, as the helper's reading finds it; 0: none.
uint64_t BytesByHelper(const std::string& head) {
  const auto bytes = std::as_bytes(std::span(head.data(), head.size()));
  for (uint32_t number = 1; number <= kGptEntries; ++number) {
    const uint64_t at = initramfs::GptEntryOffset(bytes.subspan(kSectorBytes, kSectorBytes), kSectorBytes, number);
    if (at == 0 || at > head.size() - kGptEntryBytes) continue;
    if (std::string_view(head).substr(at, 16).find_first_not_of('\0') == std::string_view::npos) continue;  // unused
    if (Get(head, at + 32, 8) == kOffset / kSectorBytes) return (Get(head, at + 40, 8) + 1) * kSectorBytes - kOffset;
  }
  return 0;
}

void CheckGrown(const std::string& head, const GptDecision& decision, uint64_t disk_bytes) {
  const GptGrowth& growth = *decision.growth;
  Require(growth.first.size() == kGptFirstBytes && growth.tail.size() == kGptTailBytes);
  const std::string grown = growth.first + head.substr(kGptFirstBytes);
  Require(BytesByHelper(grown) == decision.bytes && BytesByHelper(head) == growth.old_bytes);
  Require(kOffset + decision.bytes <= disk_bytes - kGptTailBytes);
  size_t changed = 0;
  for (size_t at = kEntriesAt; at < head.size(); ++at) changed += head[at] == grown[at] ? 0 : 1;
  Require(changed >= 1 && changed <= 8);
  const auto again = GrowLastPartition(grown, disk_bytes, kOffset, "root");
  Require(again.ok() && !again->growth && again->bytes == decision.bytes);
}

void CheckHead(const std::string& head) {
  for (const uint64_t disk_bytes : {uint64_t{0}, uint64_t{1} << 20, uint64_t{64} << 20, uint64_t{4} << 40}) {
    const auto decision = GrowLastPartition(head, disk_bytes, kOffset, "root");
    if (!decision.ok()) {
      Require(decision.error().code() == Errc::kCorrupt);
      continue;
    }
    Require(decision->growth.has_value() == decision->reason.empty());
    if (decision->growth) CheckGrown(head, *decision, disk_bytes);
  }
}

void CheckUuid(std::string_view text) {
  const auto uuid = ParseUuid(text);
  if (uuid) Require(initramfs::EqualIgnoringCase(uuid->ToString(), text) && ParseUuid(uuid->ToString()) == *uuid);
}

}  // namespace
}  // namespace hostapp

// The first sector is mostly a boot loader's: an input begins at the second.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckUuid(bytes.substr(0, 36));
  std::string head(kSectorBytes, '\0');
  head += bytes.substr(0, kGptHeadBytes - kSectorBytes);
  head.resize(kGptHeadBytes, '\0');
  CheckHead(head);
  CheckHead(Repaired(head));
  return 0;
}

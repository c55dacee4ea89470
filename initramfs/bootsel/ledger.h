// SPDX-License-Identifier: Apache-2.0
// The boot ledger: which deployment is the default, which is on trial, how many tries it has left, and why the last one
// failed. The only mutable record that booting depends on; docs/formats-ledger.md has it byte by byte.
//
// Freestanding: no allocation, no exceptions, no system calls. Who reads and writes the file is the helper (at boot)
// and ostree-integration/deploy (on the running device). The file has two slots of fixed size, each in a 4 KiB block of
// its own, preallocated and overwritten in place, always the one that does not hold the newest record: a torn write
// costs the write, never the record before it.
//
// Fields are only appended. A reader that knows fewer fields than the writer keeps the rest (`tail`) and writes it
// back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "initramfs/bootsel/digest.h"

namespace hostapp::bootsel {

using Serial = uint64_t;  // a deployment's serial number; they start with 1
inline constexpr Serial kNoSerial = 0;
inline constexpr Serial kMaxSerial = (Serial{1} << 63) - 1;  // what JSON's readers can hold

inline constexpr size_t kSlotBytes = 4096;
inline constexpr size_t kSlotCount = 2;
inline constexpr size_t kLedgerFileBytes = kSlotBytes * kSlotCount;
inline constexpr size_t kFailureTextBytes = 1024;
inline constexpr size_t kFailedManifests = 16;
inline constexpr size_t kReservedBytes = 64;
inline constexpr size_t kHeaderBytes = 24;          // magic, version, payload length, generation
inline constexpr size_t kChecksumBytes = 4;         // the last bytes of a slot
inline constexpr size_t kKnownPayloadBytes = 2736;  // all fields of Ledger below, without `tail`
inline constexpr size_t kMaxTailBytes = kSlotBytes - kHeaderBytes - kChecksumBytes - kKnownPayloadBytes;

// A deployment that the ledger names, with what the helper must know before it opens anything of it.
struct NamedDeployment {
  Serial serial = kNoSerial;  // kNoSerial: there is none, and the rest is zero
  Digest boot_set;
  bool has_composefs_digest = false;
  Digest composefs;
  friend bool operator==(const NamedDeployment&, const NamedDeployment&) = default;
};

struct Trial : NamedDeployment {
  ManifestDigest manifest;      // remembered among the failed ones if the trial fails
  Serial etc_from = kNoSerial;  // the deployment that ran when this one was deployed: its /etc changes are copied
  uint8_t tries_left = 0;
  uint8_t give_backs_used = 0;
  friend bool operator==(const Trial&, const Trial&) = default;
};

// Stored as numbers: never renumber. CauseName() is what `status` prints.
enum class Cause : uint8_t {
  kUnknown = 0,
  kLoaderGaveUp = 1,
  kNoTriesLeft = 2,
  kMount = 3,
  kDigest = 4,
  kNoInit = 5,
  kNoModules = 6,
  kCheckFailed = 7,
  kCheckTimeout = 8,
  kWatchdog = 9,
  kMarkedFailed = 10,
};
std::string_view CauseName(Cause cause);  // kebab-case; "unknown" for a number that a newer writer added

struct Failure {
  Serial serial = kNoSerial;  // kNoSerial: nothing has failed yet
  ManifestDigest manifest;
  Cause cause = Cause::kUnknown;
  std::optional<int64_t> time;  // seconds since 1970; none when the clock was before the build
  uint16_t text_bytes = 0;
  std::array<char, kFailureTextBytes> text{};

  std::string_view Text() const { return {text.data(), text_bytes}; }
  // Keeps the last kFailureTextBytes bytes, from the start of a UTF-8 character on.
  void SetText(std::string_view value);
  friend bool operator==(const Failure&, const Failure&) = default;
};

// What a failed trial leaves behind for longer than its deployment. The oldest is overwritten when it is full.
struct FailedManifests {
  uint8_t count = 0;
  uint8_t next = 0;  // where the next one goes
  std::array<ManifestDigest, kFailedManifests> digests{};

  bool Contains(const ManifestDigest& digest) const;
  void Add(const ManifestDigest& digest);     // kNone and what is there already change nothing
  void Remove(const ManifestDigest& digest);  // for a release that proved itself after all
  friend bool operator==(const FailedManifests&, const FailedManifests&) = default;
};

struct Ledger {
  uint64_t generation = 0;
  NamedDeployment default_deployment;
  NamedDeployment previous;
  Trial trial;
  uint32_t default_attempts = 0;  // boots of the default in a row that have not reached user space
  uint32_t foreign_boots = 0;     // boots in a row with a kernel that what should boot did not bring
  Digest foreign_boot_set;        // the last such kernel's
  uint64_t downgrade_floor = 0;   // meaning is the lifecycle's; kept here because it must survive
  // Set when the ledger was made again after both slots were lost, and with them what had failed: deployments up to
  // this one that were never proven do not boot because an entry asks for them.
  Serial distrusted_up_to = kNoSerial;
  Failure last_failure;
  FailedManifests failed;
  uint32_t pending_action = 0;  // what the helper is asked to do at the next boot (reset_request.h); 0: nothing
  std::array<std::byte, kReservedBytes> reserved{};
  uint16_t tail_bytes = 0;  // fields of a newer writer, kept as they are
  std::array<std::byte, kMaxTailBytes> tail{};
  friend bool operator==(const Ledger&, const Ledger&) = default;
};

enum class SlotState : uint8_t {
  kValid,
  kEmpty,         // no magic: never written
  kOtherVersion,  // a layout that this reader does not know
  kDamaged,       // checksum wrong, or fields that no writer makes
};
std::string_view SlotStateName(SlotState state);

using Slot = std::span<std::byte, kSlotBytes>;
using ConstSlot = std::span<const std::byte, kSlotBytes>;

// Fills the whole slot; the same ledger gives the same bytes.
void Encode(const Ledger& ledger, Slot out);

// `out` is written for kValid only.
SlotState Decode(ConstSlot slot, Ledger& out);

// Which slot is believed and which is overwritten next: never the newest valid one.
struct SlotPick {
  int newest = -1;  // -1: both are lost
  int overwrite = 0;
};
SlotPick PickSlot(SlotState state0, uint64_t generation0, SlotState state1, uint64_t generation1);

// The newest valid record of a whole ledger file. `file` may be shorter than kLedgerFileBytes (a truncated file): what
// is not there counts as an empty slot.
struct LedgerFile {
  std::array<SlotState, kSlotCount> slots{};
  SlotPick pick;
  Ledger ledger;  // of pick.newest; empty when both are lost
};
void ReadLedgerFile(std::span<const std::byte> file, LedgerFile& out);
// A slot full of these is damaged: for one that cannot be read.
inline constexpr std::byte kUnreadable{0xff};

}  // namespace hostapp::bootsel

// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/ledger.h"

#include "initramfs/bootsel/crc32c.h"

namespace hostapp::bootsel {
namespace {

constexpr std::array<char, 8> kMagic = {'H', 'A', 'L', 'E', 'D', 'G', 'E', 'R'};
constexpr uint32_t kVersion = 1;  // changes only for a layout that older readers must not touch
constexpr size_t kChecksumOffset = kSlotBytes - kChecksumBytes;
constexpr size_t kMaxPayloadBytes = kChecksumOffset - kHeaderBytes;

// Little-endian, field after field; the caller keeps within the slot (the sizes are checked at compile time below).
class Writer {
 public:
  explicit Writer(std::byte* at) : at_(at) {}

  void Number(uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) *at_++ = static_cast<std::byte>(value >> (8 * i));
  }
  template <typename T>
  void Bytes(const T* values, size_t count) {
    for (size_t i = 0; i < count; i++) *at_++ = static_cast<std::byte>(values[i]);
  }
  void Pad(size_t bytes) { Number(0, bytes); }

 private:
  std::byte* at_;
};

class Reader {
 public:
  explicit Reader(const std::byte* at) : at_(at) {}

  template <typename T>
  T Number() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); i++) value |= static_cast<uint64_t>(*at_++) << (8 * i);
    return static_cast<T>(value);
  }
  template <typename T>
  void Bytes(T* values, size_t count) {
    for (size_t i = 0; i < count; i++) values[i] = static_cast<T>(*at_++);
  }
  void Skip(size_t bytes) { at_ += bytes; }

 private:
  const std::byte* at_;
};

void Put(Writer& out, const NamedDeployment& deployment) {
  out.Number(deployment.serial, 8);
  out.Bytes(deployment.boot_set.bytes.data(), 32);
  out.Bytes(deployment.composefs.bytes.data(), 32);
  out.Number(deployment.has_composefs_digest ? 1 : 0, 1);
  out.Pad(7);
}

bool Get(Reader& in, NamedDeployment& deployment) {
  deployment.serial = in.Number<uint64_t>();
  in.Bytes(deployment.boot_set.bytes.data(), 32);
  in.Bytes(deployment.composefs.bytes.data(), 32);
  const auto has_composefs = in.Number<uint8_t>();
  in.Skip(7);
  deployment.has_composefs_digest = has_composefs == 1;
  return has_composefs <= 1;
}

void Put(Writer& out, const ManifestDigest& digest) {
  out.Number(static_cast<uint8_t>(digest.algorithm), 1);
  out.Bytes(digest.bytes.data(), 64);
  out.Pad(7);
}

bool Get(Reader& in, ManifestDigest& digest) {
  const auto algorithm = in.Number<uint8_t>();
  in.Bytes(digest.bytes.data(), 64);
  in.Skip(7);
  digest.algorithm = static_cast<DigestAlgorithm>(algorithm);
  return algorithm <= static_cast<uint8_t>(DigestAlgorithm::kSha512);
}

void Put(Writer& out, const Trial& trial) {
  Put(out, static_cast<const NamedDeployment&>(trial));
  Put(out, trial.manifest);
  out.Number(trial.etc_from, 8);
  out.Number(trial.tries_left, 1);
  out.Number(trial.give_backs_used, 1);
  out.Pad(6);
}

bool Get(Reader& in, Trial& trial) {
  bool ok = Get(in, static_cast<NamedDeployment&>(trial));
  ok = Get(in, trial.manifest) && ok;
  trial.etc_from = in.Number<uint64_t>();
  trial.tries_left = in.Number<uint8_t>();
  trial.give_backs_used = in.Number<uint8_t>();
  in.Skip(6);
  return ok;
}

void Put(Writer& out, const Failure& failure) {
  out.Number(failure.serial, 8);
  Put(out, failure.manifest);
  out.Number(static_cast<uint64_t>(failure.time.has_value() ? *failure.time : 0), 8);
  out.Number(failure.time.has_value() ? 1 : 0, 1);
  out.Number(static_cast<uint8_t>(failure.cause), 1);
  out.Number(failure.text_bytes, 2);
  out.Pad(4);
  out.Bytes(failure.text.data(), failure.text.size());
}

bool Get(Reader& in, Failure& failure) {
  failure.serial = in.Number<uint64_t>();
  bool ok = Get(in, failure.manifest);
  const auto time = in.Number<int64_t>();
  const auto has_time = in.Number<uint8_t>();
  failure.cause = static_cast<Cause>(in.Number<uint8_t>());
  failure.text_bytes = in.Number<uint16_t>();
  in.Skip(4);
  in.Bytes(failure.text.data(), failure.text.size());
  if (has_time == 1) failure.time = time;
  ok = ok && has_time <= 1;
  return ok && failure.text_bytes <= kFailureTextBytes;
}

void Put(Writer& out, const FailedManifests& failed) {
  out.Number(failed.count, 1);
  out.Number(failed.next, 1);
  out.Pad(6);
  for (const ManifestDigest& digest : failed.digests) Put(out, digest);
}

bool Get(Reader& in, FailedManifests& failed) {
  failed.count = in.Number<uint8_t>();
  failed.next = in.Number<uint8_t>();
  in.Skip(6);
  bool ok = failed.count <= kFailedManifests && failed.next < kFailedManifests;
  ok = ok && (failed.count == kFailedManifests || failed.next == failed.count);
  for (ManifestDigest& digest : failed.digests) ok = Get(in, digest) && ok;
  return ok;
}

bool GetPayload(Reader& in, Ledger& ledger, size_t payload_bytes) {
  bool ok = Get(in, ledger.default_deployment);
  ok = Get(in, ledger.previous) && ok;
  ok = Get(in, ledger.trial) && ok;
  ledger.default_attempts = in.Number<uint32_t>();
  ledger.foreign_boots = in.Number<uint32_t>();
  in.Bytes(ledger.foreign_boot_set.bytes.data(), 32);
  ledger.downgrade_floor = in.Number<uint64_t>();
  ledger.distrusted_up_to = in.Number<uint64_t>();
  ok = Get(in, ledger.last_failure) && ok;
  ok = Get(in, ledger.failed) && ok;
  ledger.pending_action = in.Number<uint32_t>();
  in.Skip(4);
  in.Bytes(ledger.reserved.data(), kReservedBytes);
  ledger.tail_bytes = static_cast<uint16_t>(payload_bytes - kKnownPayloadBytes);
  in.Bytes(ledger.tail.data(), ledger.tail_bytes);
  return ok;
}

// Above kMaxSerial nobody could be told what the ledger says, and counting on would begin again at 0.
bool AreInRange(const Ledger& ledger) {
  for (const uint64_t number :
       {ledger.generation, ledger.default_deployment.serial, ledger.previous.serial, ledger.trial.serial,
        ledger.trial.etc_from, ledger.distrusted_up_to, ledger.last_failure.serial}) {
    if (number > kMaxSerial) return false;
  }
  return true;
}

uint32_t StoredChecksum(ConstSlot slot) { return Reader(slot.data() + kChecksumOffset).Number<uint32_t>(); }

}  // namespace

std::string_view CauseName(Cause cause) {
  switch (cause) {
    case Cause::kUnknown:
      break;
    case Cause::kLoaderGaveUp:
      return "loader-gave-up";
    case Cause::kNoTriesLeft:
      return "no-tries-left";
    case Cause::kMount:
      return "mount";
    case Cause::kDigest:
      return "digest";
    case Cause::kNoInit:
      return "no-init";
    case Cause::kNoModules:
      return "no-modules";
    case Cause::kCheckFailed:
      return "check-failed";
    case Cause::kCheckTimeout:
      return "check-timeout";
    case Cause::kWatchdog:
      return "watchdog";
    case Cause::kMarkedFailed:
      return "marked-failed";
  }
  return "unknown";
}

std::string_view SlotStateName(SlotState state) {
  switch (state) {
    case SlotState::kValid:
      return "valid";
    case SlotState::kEmpty:
      return "empty";
    case SlotState::kOtherVersion:
      return "other-version";
    case SlotState::kDamaged:
      break;
  }
  return "damaged";
}

void Failure::SetText(std::string_view value) {
  if (value.size() > kFailureTextBytes) {
    value.remove_prefix(value.size() - kFailureTextBytes);
    while (!value.empty() && (static_cast<unsigned char>(value[0]) & 0xc0U) == 0x80U) value.remove_prefix(1);
  }
  text.fill('\0');
  value.copy(text.data(), value.size());
  text_bytes = static_cast<uint16_t>(value.size());
}

bool FailedManifests::Contains(const ManifestDigest& digest) const {
  if (digest.algorithm == DigestAlgorithm::kNone) return false;
  for (size_t i = 0; i < count; i++) {
    if (digests[i] == digest) return true;
  }
  return false;
}

void FailedManifests::Add(const ManifestDigest& digest) {
  if (digest.algorithm == DigestAlgorithm::kNone || Contains(digest)) return;
  digests[next] = digest;
  next = static_cast<uint8_t>((next + 1U) % kFailedManifests);
  if (count < kFailedManifests) count++;
}

void FailedManifests::Remove(const ManifestDigest& digest) {
  if (!Contains(digest)) return;
  FailedManifests kept;
  const size_t oldest = count == kFailedManifests ? next : 0;
  for (size_t i = 0; i < count; i++) {
    const ManifestDigest& entry = digests[(oldest + i) % kFailedManifests];
    if (entry != digest) kept.Add(entry);
  }
  *this = kept;
}

void Encode(const Ledger& ledger, Slot out) {
  for (std::byte& byte : out) byte = std::byte{0};
  Writer writer(out.data());
  writer.Bytes(kMagic.data(), kMagic.size());
  writer.Number(kVersion, 4);
  writer.Number(kKnownPayloadBytes + ledger.tail_bytes, 4);
  writer.Number(ledger.generation, 8);
  Put(writer, ledger.default_deployment);
  Put(writer, ledger.previous);
  Put(writer, ledger.trial);
  writer.Number(ledger.default_attempts, 4);
  writer.Number(ledger.foreign_boots, 4);
  writer.Bytes(ledger.foreign_boot_set.bytes.data(), 32);
  writer.Number(ledger.downgrade_floor, 8);
  writer.Number(ledger.distrusted_up_to, 8);
  Put(writer, ledger.last_failure);
  Put(writer, ledger.failed);
  writer.Number(ledger.pending_action, 4);
  writer.Pad(4);
  writer.Bytes(ledger.reserved.data(), kReservedBytes);
  writer.Bytes(ledger.tail.data(), ledger.tail_bytes);
  Writer(out.data() + kChecksumOffset).Number(Crc32c(out.first<kChecksumOffset>()), 4);
}

SlotState Decode(ConstSlot slot, Ledger& out) {
  Reader reader(slot.data());
  std::array<char, kMagic.size()> magic{};
  reader.Bytes(magic.data(), magic.size());
  bool all_zero = true;
  for (const std::byte byte : slot) all_zero = all_zero && byte == std::byte{0};
  if (all_zero) return SlotState::kEmpty;
  if (magic != kMagic || StoredChecksum(slot) != Crc32c(slot.first<kChecksumOffset>())) return SlotState::kDamaged;
  const auto version = reader.Number<uint32_t>();
  const auto payload_bytes = reader.Number<uint32_t>();
  if (version != kVersion) return SlotState::kOtherVersion;
  if (payload_bytes < kKnownPayloadBytes || payload_bytes > kMaxPayloadBytes) return SlotState::kDamaged;
  Ledger ledger;
  ledger.generation = reader.Number<uint64_t>();
  if (!GetPayload(reader, ledger, payload_bytes) || !AreInRange(ledger)) return SlotState::kDamaged;
  out = ledger;
  return SlotState::kValid;
}

SlotPick PickSlot(SlotState state0, uint64_t generation0, SlotState state1, uint64_t generation1) {
  const bool valid0 = state0 == SlotState::kValid;
  const bool valid1 = state1 == SlotState::kValid;
  if (!valid0 && !valid1) return {.newest = -1, .overwrite = 0};
  const bool newest_is_1 = valid1 && (!valid0 || generation1 > generation0);
  return newest_is_1 ? SlotPick{.newest = 1, .overwrite = 0} : SlotPick{.newest = 0, .overwrite = 1};
}

void ReadLedgerFile(std::span<const std::byte> file, LedgerFile& out) {
  out = LedgerFile{};
  Ledger second;
  out.slots = {SlotState::kEmpty, SlotState::kEmpty};
  if (file.size() >= kSlotBytes) out.slots[0] = Decode(file.first<kSlotBytes>(), out.ledger);
  if (file.size() >= kLedgerFileBytes) out.slots[1] = Decode(file.subspan<kSlotBytes, kSlotBytes>(), second);
  out.pick = PickSlot(out.slots[0], out.ledger.generation, out.slots[1], second.generation);
  if (out.pick.newest == 1) out.ledger = second;
}

}  // namespace hostapp::bootsel

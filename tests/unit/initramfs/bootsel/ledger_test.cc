// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "initramfs/bootsel/crc32c.h"
#include "tests/unit/initramfs/bootsel/samples.h"

namespace hostapp::bootsel {
namespace {

using SlotBytes = std::array<std::byte, kSlotBytes>;
using FileBytes = std::array<std::byte, kLedgerFileBytes>;

SlotBytes Encoded(const Ledger& ledger) {
  SlotBytes bytes;
  Encode(ledger, bytes);
  return bytes;
}

Ledger WithGeneration(uint64_t generation) {
  Ledger ledger = FullLedger();
  ledger.generation = generation;
  return ledger;
}

FileBytes FileOf(const SlotBytes& first, const SlotBytes& second) {
  FileBytes file;
  std::copy(first.begin(), first.end(), file.begin());
  std::copy(second.begin(), second.end(), file.begin() + kSlotBytes);
  return file;
}

void SetChecksum(SlotBytes& slot) {
  const uint32_t crc = Crc32c(std::span(slot).first<kSlotBytes - kChecksumBytes>());
  for (size_t i = 0; i < 4; i++) slot[kSlotBytes - 4 + i] = static_cast<std::byte>(crc >> (8 * i));
}

TEST(Crc32c, GivesThePublishedCheckValue) {
  const std::string text = "123456789";
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(text))), 0xe3069283U);
}

// The bytes of docs/formats-ledger.md, field by field; every other byte is zero.
TEST(Ledger, EncodesEveryFieldAtItsDocumentedPlace) {
  SlotBytes want{};
  const auto put = [&want](size_t at, const std::vector<int>& bytes) {
    for (size_t i = 0; i < bytes.size(); i++) want[at + i] = static_cast<std::byte>(bytes[i]);
  };
  const auto fill = [&want](size_t at, int byte) {
    for (size_t i = 0; i < 32; i++) want[at + i] = static_cast<std::byte>(byte);
  };
  put(0, {'H', 'A', 'L', 'E', 'D', 'G', 'E', 'R', 1, 0, 0, 0, 0xb0, 0x0a, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1});
  put(24, {0x11});
  fill(32, 0x11);
  fill(64, 0x12);
  put(96, {1});
  put(104, {0x13});
  fill(112, 0x13);
  put(184, {0x14});
  fill(192, 0x14);
  put(264, {1});
  fill(265, 0x14);
  put(336, {0x15});
  put(344, {3, 2});
  put(352, {0x16});
  put(356, {0x17});
  fill(360, 0x18);
  put(392, {0x19});
  put(400, {0x1a});
  put(408, {0x1b});
  put(416, {1});
  fill(417, 0x1c);
  put(488, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 5, 7});
  put(504, {'n', 'o', ' ', 'i', 'n', 'i', 't'});
  put(1528, {2, 2});
  put(1536, {1});
  fill(1537, 0x1d);
  put(1608, {1});
  fill(1609, 0x1e);
  put(2688, {0x1f});
  put(2759, {0x20});
  SetChecksum(want);
  const SlotBytes got = Encoded(FullLedger());
  for (size_t i = 0; i < kSlotBytes; i++) ASSERT_EQ(got[i], want[i]) << "at offset " << i;
}

TEST(Ledger, DecodesWhatWasEncoded) {
  Ledger decoded;
  ASSERT_EQ(Decode(Encoded(FullLedger()), decoded), SlotState::kValid);
  EXPECT_EQ(decoded, FullLedger());
  ASSERT_EQ(Decode(Encoded(Ledger{}), decoded), SlotState::kValid);
  EXPECT_EQ(decoded, Ledger{});
}

TEST(Ledger, RefusesASlotWithAnySingleByteChanged) {
  const SlotBytes good = Encoded(FullLedger());
  Ledger untouched;
  for (size_t i = 0; i < kSlotBytes; i++) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      SlotBytes bad = good;
      bad[i] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(Decode(bad, untouched), SlotState::kDamaged) << "offset " << i << " xor " << flip;
    }
  }
  EXPECT_EQ(untouched, Ledger{});
}

TEST(Ledger, CallsASlotThatWasNeverWrittenEmpty) {
  Ledger untouched;
  EXPECT_EQ(Decode(SlotBytes{}, untouched), SlotState::kEmpty);
}

TEST(Ledger, KeepsTheOtherSlotAtEveryTornWrite) {
  const SlotBytes older = Encoded(WithGeneration(6));
  const SlotBytes newer = Encoded(WithGeneration(7));
  Ledger changed = WithGeneration(8);
  changed.trial = {};
  changed.default_attempts = 2;
  const SlotBytes next = Encoded(changed);
  for (size_t torn = 0; torn <= kSlotBytes; torn++) {
    SlotBytes slot = older;
    std::copy_n(next.begin(), torn, slot.begin());
    LedgerFile file;
    ReadLedgerFile(FileOf(slot, newer), file);
    const bool complete = slot == next;
    const bool untouched = slot == older;
    ASSERT_EQ(file.slots[0], complete || untouched ? SlotState::kValid : SlotState::kDamaged) << torn << " bytes";
    ASSERT_EQ(file.ledger, complete ? changed : WithGeneration(7)) << torn << " bytes";
    ASSERT_EQ(file.pick.overwrite, complete ? 1 : 0) << torn << " bytes";
  }
}

TEST(Ledger, KeepsTheFieldsOfANewerWriter) {
  SlotBytes newer = Encoded(FullLedger());
  newer[12] = std::byte{0xb5};  // five more bytes of payload
  for (size_t i = 0; i < 5; i++) newer[kHeaderBytes + kKnownPayloadBytes + i] = static_cast<std::byte>('a' + i);
  SetChecksum(newer);
  Ledger ledger;
  ASSERT_EQ(Decode(newer, ledger), SlotState::kValid);
  EXPECT_EQ(ledger.tail_bytes, 5);
  EXPECT_EQ(Encoded(ledger), newer);
}

TEST(Ledger, HasRoomForATailUpToTheChecksum) {
  Ledger ledger = FullLedger();
  ledger.tail_bytes = kMaxTailBytes;
  ledger.tail.fill(std::byte{0x77});
  Ledger decoded;
  ASSERT_EQ(Decode(Encoded(ledger), decoded), SlotState::kValid);
  EXPECT_EQ(decoded, ledger);
}

struct Damage {
  const char* what;
  size_t offset;
  int value;
  SlotState want;
};

TEST(Ledger, RefusesFieldsThatNoWriterMakesEvenWithARightChecksum) {
  const Damage kDamages[] = {
      {"another version", 8, 2, SlotState::kOtherVersion},
      {"a payload shorter than version 1", 12, 0xaf, SlotState::kDamaged},
      {"a payload beyond the slot", 13, 0x10, SlotState::kDamaged},
      {"a flag that is neither 0 nor 1", 96, 2, SlotState::kDamaged},
      {"an unknown digest algorithm", 264, 3, SlotState::kDamaged},
      {"text longer than its field", 499, 0x05, SlotState::kDamaged},
      {"more failed manifests than places", 1528, 17, SlotState::kDamaged},
      {"a next place outside the ring", 1529, 16, SlotState::kDamaged},
      {"a next place that leaves a gap, where what fails next would be forgotten", 1529, 5, SlotState::kDamaged},
  };
  for (const Damage& damage : kDamages) {
    SlotBytes slot = Encoded(FullLedger());
    slot[damage.offset] = static_cast<std::byte>(damage.value);
    SetChecksum(slot);
    Ledger untouched;
    EXPECT_EQ(Decode(slot, untouched), damage.want) << damage.what;
    EXPECT_EQ(untouched, Ledger{}) << damage.what;
  }
}

// Nothing that people and programs are told of it could say them: JSON's readers have 63 bits.
TEST(Ledger, RefusesASerialThatNoDeploymentCanHave) {
  const std::pair<const char*, Serial& (*)(Ledger&)> kSerials[] = {
      {"default", [](Ledger& ledger) -> Serial& { return ledger.default_deployment.serial; }},
      {"previous", [](Ledger& ledger) -> Serial& { return ledger.previous.serial; }},
      {"trial", [](Ledger& ledger) -> Serial& { return ledger.trial.serial; }},
      {"etc_from", [](Ledger& ledger) -> Serial& { return ledger.trial.etc_from; }},
      {"distrusted_up_to", [](Ledger& ledger) -> Serial& { return ledger.distrusted_up_to; }},
      {"last_failure", [](Ledger& ledger) -> Serial& { return ledger.last_failure.serial; }},
      {"generation", [](Ledger& ledger) -> Serial& { return ledger.generation; }},
  };
  for (const auto& [what, field] : kSerials) {
    Ledger ledger = FullLedger(), decoded;
    field(ledger) = kMaxSerial;
    EXPECT_EQ(Decode(Encoded(ledger), decoded), SlotState::kValid) << what;
    field(ledger) = kMaxSerial + 1;
    EXPECT_EQ(Decode(Encoded(ledger), decoded), SlotState::kDamaged) << what;
  }
}

TEST(Ledger, KeepsACauseThatANewerWriterAdded) {
  Ledger ledger;
  ledger.last_failure.cause = static_cast<Cause>(99);
  Ledger decoded;
  ASSERT_EQ(Decode(Encoded(ledger), decoded), SlotState::kValid);
  EXPECT_EQ(decoded.last_failure.cause, static_cast<Cause>(99));
  EXPECT_EQ(CauseName(decoded.last_failure.cause), "unknown");
}

TEST(PickSlot, BelievesTheNewestValidSlotAndOverwritesTheOther) {
  using enum SlotState;
  struct Case {
    SlotState state0;
    uint64_t generation0;
    SlotState state1;
    uint64_t generation1;
    int newest;
    int overwrite;
  };
  const Case kCases[] = {
      {kValid, 5, kValid, 4, 0, 1},    {kValid, 4, kValid, 5, 1, 0},   {kValid, 5, kValid, 5, 0, 1},
      {kValid, 1, kDamaged, 0, 0, 1},  {kDamaged, 0, kValid, 1, 1, 0}, {kEmpty, 0, kValid, 1, 1, 0},
      {kDamaged, 0, kEmpty, 0, -1, 0}, {kValid, 0, kEmpty, 0, 0, 1},   {kOtherVersion, 9, kValid, 1, 1, 0},
  };
  for (const Case& c : kCases) {
    const SlotPick pick = PickSlot(c.state0, c.generation0, c.state1, c.generation1);
    EXPECT_EQ(pick.newest, c.newest);
    EXPECT_EQ(pick.overwrite, c.overwrite);
  }
}

TEST(LedgerFile, ReadsATruncatedFileAsFarAsItGoes) {
  const FileBytes whole = FileOf(Encoded(WithGeneration(7)), Encoded(WithGeneration(8)));
  LedgerFile file;
  ReadLedgerFile(std::span(whole).first(kLedgerFileBytes - 1), file);
  EXPECT_EQ(file.ledger.generation, 7U);
  EXPECT_EQ(file.pick.overwrite, 1);
  ReadLedgerFile(std::span(whole).first(kSlotBytes - 1), file);
  EXPECT_EQ(file.pick.newest, -1);
  EXPECT_EQ(file.ledger, Ledger{});
}

TEST(Failure, KeepsTheLastBytesOfALongTextFromAWholeCharacterOn) {
  Failure failure;
  failure.SetText("x\xc3\xa9" + std::string(kFailureTextBytes - 1, 'y'));
  EXPECT_EQ(failure.Text(), std::string(kFailureTextBytes - 1, 'y'));
  failure.SetText("short");
  EXPECT_EQ(failure.Text(), "short");
}

TEST(FailedManifests, ForgetsTheOldestFirst) {
  FailedManifests failed;
  for (uint8_t i = 0; i <= kFailedManifests; i++) failed.Add(ManifestOf(i));
  EXPECT_FALSE(failed.Contains(ManifestOf(0)));
  for (uint8_t i = 1; i <= kFailedManifests; i++) EXPECT_TRUE(failed.Contains(ManifestOf(i))) << int{i};
}

TEST(FailedManifests, TakesOneOutAndKeepsTheOrderOfTheOthers) {
  FailedManifests failed;
  for (uint8_t i = 0; i < kFailedManifests + 4; i++) failed.Add(ManifestOf(i));
  failed.Remove(ManifestOf(6));
  EXPECT_EQ(failed.count, kFailedManifests - 1);
  EXPECT_FALSE(failed.Contains(ManifestOf(6)));
  failed.Add(ManifestOf(100));
  EXPECT_TRUE(failed.Contains(ManifestOf(4)));
  failed.Add(ManifestOf(101));
  EXPECT_FALSE(failed.Contains(ManifestOf(4)));
}

TEST(FailedManifests, HoldsADigestOnce) {
  FailedManifests failed;
  failed.Add(ManifestOf(1));
  failed.Add(ManifestOf(1));
  failed.Add(ManifestDigest{});
  EXPECT_EQ(failed.count, 1);
}

TEST(CauseName, IsWhatStatusPrints) {
  std::string names;
  for (uint8_t i = 0; i <= 10; i++) names += std::string(CauseName(static_cast<Cause>(i))) + " ";
  EXPECT_EQ(names,
            "unknown loader-gave-up no-tries-left mount digest no-init no-modules check-failed check-timeout watchdog "
            "marked-failed ");
}

TEST(ManifestDigest, ReadsAndWritesTheTextOfRegistries) {
  const std::string sha256 = "sha256:" + std::string(62, '0') + "af";
  const std::string sha512 = "sha512:" + std::string(127, '7') + "e";
  std::array<char, kManifestDigestMaxChars> text{};
  for (const std::string& digest_text : {sha256, sha512}) {
    ManifestDigest digest;
    ASSERT_TRUE(ParseManifestDigest(digest_text, digest));
    EXPECT_EQ(FormatManifestDigest(digest, text), digest_text);
  }
  for (const std::string& bad : {std::string("sha256:"), sha256 + "0", sha256.substr(1), "SHA256" + sha256.substr(6),
                                 "sha256:" + std::string(62, '0') + "AF", "sha512" + sha256.substr(6), std::string()}) {
    ManifestDigest digest = ManifestOf(1);
    EXPECT_FALSE(ParseManifestDigest(bad, digest)) << bad;
    EXPECT_EQ(digest, ManifestOf(1)) << bad;
  }
}

}  // namespace
}  // namespace hostapp::bootsel

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/efi_boot_options.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const EfiBootOption kOurs{
    .active = true,
    .description = "hostapp",
    .partition = {.number = 1, .first_block = 2048, .blocks = 0x123456, .guid = "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c417"},
    .path = "\\EFI\\B"};

// By hand, from the UEFI specification.
constexpr const char* kOursHex =
    "01000000"                          // active
    "4000"                              // bytes of the path: 42 + 18 + 4
    "68006f00730074006100700070000000"  // hostapp
    "04012a00"                          // a hard drive, 42 bytes
    "01000000"
    "0008000000000000"
    "5634120000000000"
    "2c6d1b8af3419e4ab7c52f9d0e63c417"
    "0202"                          // GPT, GUID
    "04041200"                      // a file, 18 bytes
    "5c004500460049005c0042000000"  // \EFI\B
    "7fff0400";

std::string Bytes(const EfiBootOption& option) { return EncodeEfiBootOption(option).value(); }

EfiBootOption Other() {
  EfiBootOption other = kOurs;
  other.path = "\\EFI\\debian\\shimx64.efi";
  return other;
}

TEST(EfiBootOption, HasTheFormOfTheSpecification) { EXPECT_EQ(HexEncode(AsBytes(Bytes(kOurs))), kOursHex); }

TEST(EfiBootOption, ComesBackAsItWas) {
  EXPECT_EQ(ParseEfiBootOption(Bytes(kOurs)), kOurs);
  EXPECT_EQ(ParseEfiBootOption(Bytes(kOurs) + "for the loader"), kOurs);
}

TEST(EfiBootOption, OnlyAFileOfAPartitionIsUnderstood) {
  const std::string whole = Bytes(kOurs);
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(ParseEfiBootOption(whole.substr(0, size)), std::nullopt) << size;
  // A longer or shorter path, other nodes, nodes with impossible lengths.
  for (const size_t at : {4U, 5U, 22U, 23U, 24U, 25U, 62U, 63U, 64U, 65U, 66U, 67U, 82U, 83U, 84U}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    EXPECT_EQ(ParseEfiBootOption(damaged), std::nullopt) << at;
  }
}

TEST(EfiBootOption, RefusesWhatFirmwareWouldNotFind) {
  EfiBootOption wrong = kOurs;
  for (const char* guid :
       {"", "8a1b6d2c", "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c41g", "8a1b6d2c41f3-4a9e-b7c5-2f9d0e63c4170", "0123-4567"}) {
    wrong.partition.guid = guid;
    const auto encoded = EncodeEfiBootOption(wrong);
    ASSERT_FALSE(encoded.ok()) << guid;
    EXPECT_THAT(encoded.error().message(), HasSubstr("is no PARTUUID"));
  }
  wrong = kOurs;
  wrong.path = "\\\xc3\xa4";
  EXPECT_EQ(EncodeEfiBootOption(wrong).error().code(), Errc::kInvalid);
}

TEST(EfiBootOption, TheSameLoaderIsFoundWhateverElseIsChanged) {
  EfiBootOption changed = kOurs;
  changed.description = "UEFI OS";
  changed.partition.number = 7;
  changed.path = "\\efi\\b";
  EXPECT_TRUE(StartsTheSame(changed, kOurs));
  EXPECT_FALSE(StartsTheSame(Other(), kOurs));
  changed.partition.guid[0] = '9';
  EXPECT_FALSE(StartsTheSame(changed, kOurs));
}

TEST(EfiBootPlan, AddsWhatIsMissingAndPutsOursFirst) {
  EfiBootVariables variables;
  variables.options[1] = Bytes(Other());
  variables.options[2] = Bytes(kOurs);
  variables.options[3] = "unreadable";
  EfiBootOption inactive = kOurs;
  inactive.active = false;
  variables.options[5] = Bytes(inactive);
  variables.order = {3, 1, 2};
  const EfiBootPlan plan = PlanEfiBootOptions(variables, kOurs, 3).value();
  EXPECT_THAT(plan.order, ElementsAre(2, 0, 4, 3, 1));
  ASSERT_EQ(plan.added.size(), 2U);
  EXPECT_EQ(ParseEfiBootOption(plan.added.at(0))->description, "hostapp (2)");
  EXPECT_EQ(ParseEfiBootOption(plan.added.at(4))->description, "hostapp (3)");
  EXPECT_TRUE(StartsTheSame(*ParseEfiBootOption(plan.added.at(4)), kOurs));
}

TEST(EfiBootPlan, HasNothingToDoASecondTime) {
  EfiBootVariables variables;
  const EfiBootPlan first = PlanEfiBootOptions(variables, kOurs, 4).value();
  variables.options = first.added;
  variables.order = first.order;
  EXPECT_EQ(PlanEfiBootOptions(variables, kOurs, 4).value(), (EfiBootPlan{.added = {}, .order = {0, 1, 2, 3}}));
  EXPECT_EQ(PlanEfiBootOptions(variables, kOurs, 2).value().order, (std::vector<uint16_t>{0, 1, 2, 3}));
}

TEST(EfiBootPlan, SaysWhenNoNumberIsLeft) {
  EfiBootVariables variables;
  for (uint32_t number = 0; number < 0x10000; ++number) variables.options[static_cast<uint16_t>(number)] = "";
  EXPECT_EQ(PlanEfiBootOptions(variables, kOurs, 1).error().code(), Errc::kNoSpace);
}

struct Efivars {
  Efivars() : folder(OpenDir(AT_FDCWD, dir.path(), RealSyscalls()).value()) {}
  void Set(const std::string& name, const std::string& value) {
    std::ofstream(fs::path(dir.path()) / (name + "-8be4df61-93ca-11d2-aa0d-00e098032b8c")) << "abcd" << value;
  }
  std::string Get(const std::string& name) {
    return ReadFile(folder.get(), name + "-8be4df61-93ca-11d2-aa0d-00e098032b8c", 9999).value();
  }
  Status Ensure(int count) { return Ensure(count, sys); }
  Status Ensure(int count, Syscalls& with) {
    OpContext ctx{.clock = context.clock, .log = context.log, .progress = context.progress, .cancel = {}, .sys = with};
    return EnsureEfiBootOptions(folder.get(), kOurs, count, ctx);
  }

  testing::TempDir dir;
  UniqueFd folder;
  testing::TestContext context;
  testing::FaultySyscalls sys;
};

TEST(EnsureEfiBootOptions, WritesVariablesWithTheirAttributesAndThenOnlyWhatIsMissing) {
  Efivars efi;
  efi.Set("Boot0000", Bytes(Other()));
  efi.Set("BootOrder", std::string("\0\0", 2));
  efi.Set("BootNext", "x");
  std::ofstream(fs::path(efi.dir.path()) / "Boot0001-00000000-0000-0000-0000-000000000000") << "of somebody else";
  ASSERT_TRUE(efi.Ensure(2).ok());
  EXPECT_EQ(efi.Get("Boot0001"), std::string("\7\0\0\0", 4) + Bytes(kOurs));
  EXPECT_EQ(efi.Get("BootOrder"), std::string("\7\0\0\0\1\0\2\0\0\0", 10));
  EXPECT_EQ(efi.Get("Boot0000"), "abcd" + Bytes(Other()));
  testing::FaultySyscalls counting;
  ASSERT_TRUE(efi.Ensure(2, counting).ok());
  EXPECT_EQ(counting.calls(), 0);
}

TEST(EnsureEfiBootOptions, LeavesAnOrderAloneThatItCannotRead) {
  Efivars efi;
  efi.Set("Boot0000", Bytes(Other()));
  efi.Set("BootOrder", std::string(1 << 20, 'x'));
  const Status status = efi.Ensure(2);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message(), HasSubstr("reading the firmware's BootOrder: "));
  EXPECT_FALSE(Exists(efi.folder.get(), "Boot0001-8be4df61-93ca-11d2-aa0d-00e098032b8c"));
}

TEST(EnsureEfiBootOptions, WhereThereAreNoVariablesItSaysSo) {
  Efivars efi;
  const Status status = efi.Ensure(2);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kNotFound);
  EXPECT_THAT(status.error().message(), HasSubstr("no UEFI, or efivarfs is not mounted"));
}

TEST(EnsureEfiBootOptions, AFailedWriteLeavesTheOrderAndIsMadeUpFor) {
  std::optional<Efivars> efi;
  const std::string old = "abcd" + std::string("\5\0", 2);
  testing::ForEveryFailingCall(
      ENOSPC, testing::FaultySyscalls::Which::kThatAndAllAfter,
      [&] {
        efi.emplace();
        efi->Set("Boot0005", Bytes(Other()));
        efi->Set("BootOrder", std::string("\5\0", 2));
      },
      [&](Syscalls& sys) { return efi->Ensure(2, sys); },
      [&](const auto& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed());
        EXPECT_TRUE(!sys.failed() || efi->Get("BootOrder") == old) << sys.failed_call();
        EXPECT_TRUE(!sys.failed() || efi->Ensure(2).ok());
        EXPECT_EQ(efi->Get("BootOrder"), std::string("\7\0\0\0\0\0\1\0\5\0", 10));
      });
}

}  // namespace
}  // namespace hostapp

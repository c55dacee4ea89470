// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/uboot.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/crc32.h"
#include "ostree-integration/deploy/loaders/uboot_env.h"
#include "ostree-integration/deploy/loaders/uboot_script.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
namespace fs = std::filesystem;

TEST(Crc32, IsTheOneOfEthernet) {
  EXPECT_EQ(Crc32(AsBytes("123456789")), 0xcbf43926U);
  EXPECT_EQ(Crc32(AsBytes("")), 0U);
  EXPECT_EQ(Crc32(AsBytes("6789"), Crc32(AsBytes("12345"))), 0xcbf43926U);
}

TEST(UbootEnv, IsACrcAndVariablesAndZeros) {
  const std::string block = EncodeUbootEnv({{"b", "2 x=y"}, {"a", "1"}}, 64);
  ASSERT_EQ(block.size(), 64U);
  EXPECT_EQ(block.substr(4), std::string("a=1\0b=2 x=y\0", 12) + std::string(48, '\0'));
  const uint32_t crc = Crc32(AsBytes(block.substr(4)));
  for (size_t byte = 0; byte < 4; ++byte) EXPECT_EQ(static_cast<uint8_t>(block[byte]), crc >> (8 * byte) & 0xff);
  EXPECT_EQ(ParseUbootEnv(block, 64), (UbootVariables{{"b", "2 x=y"}, {"a", "1"}}));
}

TEST(UbootEnv, AnyChangedByteIsSeen) {
  const std::string block = EncodeUbootState({.default_serial = 12, .trial = 13, .tries = 3});
  for (size_t at = 0; at < block.size(); ++at) {
    std::string damaged = block;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_EQ(ParseUbootState(damaged), std::nullopt) << at;
  }
  EXPECT_EQ(ParseUbootState(block.substr(1)), std::nullopt);
  EXPECT_EQ(ParseUbootState(block + '\0'), std::nullopt);
  EXPECT_EQ(ParseUbootState(std::string(kUbootStateBytes, '\0')), std::nullopt);
}

TEST(UbootState, ComesBackAsItWas) {
  for (const UbootState& state :
       {UbootState{}, UbootState{.default_serial = 1}, UbootState{.default_serial = 1, .trial = 2, .tries = 9},
        UbootState{.default_serial = UINT64_MAX, .trial = UINT64_MAX, .tries = 0}}) {
    EXPECT_EQ(ParseUbootState(EncodeUbootState(state)), state);
  }
}

TEST(UbootState, UnderstandsOnlyWhatItWouldWrite) {
  const auto parse = [](const UbootVariables& variables) {
    return ParseUbootState(EncodeUbootEnv(variables, kUbootStateBytes)).value();
  };
  for (const char* wrong : {"x", "01", "-1", " 1", "1 ", "0x1", "99999999999999999999"}) {
    EXPECT_EQ(parse({{"hostapp_default", wrong}, {"hostapp_trial", wrong}}), UbootState{}) << wrong;
  }
  for (const char* wrong : {"x", "10", "-1", "03"}) {
    EXPECT_EQ(parse({{"hostapp_trial", "2"}, {"hostapp_tries", wrong}}),
              (UbootState{.default_serial = 0, .trial = 2, .tries = 0}))
        << wrong;
  }
}

TEST(UbootProven, NewestFirstAndNotTooMany) {
  EXPECT_THAT(ParseUbootProven(EncodeUbootProven({2, 30, 11})), ElementsAre(30, 11, 2));
  EXPECT_THAT(ParseUbootProven(EncodeUbootProven({})), IsEmpty());
  std::vector<uint64_t> many;
  for (uint64_t serial = UINT64_MAX; many.size() < 40; --serial) many.push_back(serial);
  const std::vector<uint64_t> kept = ParseUbootProven(EncodeUbootProven(many));
  EXPECT_EQ(kept, std::vector<uint64_t>(many.begin(), many.begin() + kMaxUbootProven));
}

struct Boot {
  Boot() : boot(OpenDir(AT_FDCWD, dir.path(), RealSyscalls()).value()) {
    fs::create_directories(Set());
    std::ofstream(Set() / "linux") << "123456789";
    std::ofstream(Set() / "initrd") << "initrd";
    std::ofstream(Set() / "SHA256SUMS") << sums;
  }
  fs::path Set() { return fs::path(dir.path()) / "hostapp" / entry.boot_set.Hex(); }
  std::string Block(const std::string& name) { return ReadFile(boot.get(), "hostapp/uboot/" + name, 9999).value(); }
  ino_t Inode(const std::string& name) {
    struct stat info {};
    EXPECT_EQ(::fstatat(boot.get(), ("hostapp/uboot/" + name).c_str(), &info, 0), 0);
    return info.st_ino;
  }
  void Damage(const std::string& name) {
    std::fstream file(fs::path(dir.path()) / "hostapp/uboot" / name, std::ios::in | std::ios::out);
    file.seekp(7);
    file << "!";
  }

  testing::TempDir dir;
  UniqueFd boot;
  testing::TestContext context;
  testing::FaultySyscalls sys;
  OpContext ctx{.clock = context.clock, .log = context.log, .progress = context.progress, .cancel = {}, .sys = sys};
  std::string sums =
      StrCat(HashOf(AsBytes("initrd")).Hex(), "  initrd\n", HashOf(AsBytes("123456789")).Hex(), "  linux\n");
  BootEntry entry{.serial = 5, .boot_set = HashOf(AsBytes(sums)), .arguments = {}, .version = {}, .proven = true};
  UbootLoader loader{boot.get()};
};

TEST(UbootLoader, AnEntrySaysHowItsFilesAreChecked) {
  Boot device;
  device.entry.arguments = {"root=LABEL=x", "dyndbg=\"file a.c +p; x\"", "it's=a;b"};
  ASSERT_TRUE(device.loader.Stage(device.entry, device.ctx).ok());
  const auto variables = ParseUbootEnv(device.Block("entries/5.env"), kUbootEntryBytes).value();
  const std::string set = device.entry.boot_set.Hex();
  EXPECT_EQ(variables,
            (UbootVariables{{"hostapp_entry", "5"},
                            {"hostapp_set", set},
                            {"bootargs", "hostapp.deployment=5 hostapp.boot-set=" + set +
                                             " panic=10 fsck.repair=yes rd.shell=0 rd.emergency=reboot root=LABEL=x "
                                             "dyndbg=\"file a.c +p; x\" it's=a;b"},
                            {"hostapp_kernel_size", "9"},
                            {"hostapp_kernel_crc", "cbf43926"},
                            {"hostapp_kernel_swapped_crc", "2639f4cb"},
                            {"hostapp_initrd_size", "6"},
                            {"hostapp_initrd_crc", "fa3bf02d"},
                            {"hostapp_initrd_swapped_crc", "2df03bfa"}}));
}

TEST(UbootLoader, StagesNoBootSetThatIsDamaged) {
  for (const char* name : {"linux", "initrd", "SHA256SUMS"}) {
    Boot device;
    std::ofstream(device.Set() / name) << "damaged";
    const Status status = device.loader.Stage(device.entry, device.ctx);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error().code(), Errc::kCorrupt) << name;
    EXPECT_THAT(status.error().message(), HasSubstr(name));
    EXPECT_THAT(device.loader.Read()->entries, IsEmpty());
  }
}

TEST(UbootLoader, OverwritesItsStateInPlace) {
  Boot device;
  ASSERT_TRUE(device.loader.Bless(device.entry, device.ctx).ok());
  const auto inodes = [&] {
    return std::vector<ino_t>{device.Inode("state-0"), device.Inode("state-1"), device.Inode("proven")};
  };
  const auto before = inodes();
  BootEntry other = device.entry;
  other.serial = 6;
  ASSERT_TRUE(device.loader.Arm(other, device.entry, 2, device.ctx).ok());
  EXPECT_EQ(inodes(), before);
  EXPECT_EQ(device.Block("state-0"), device.Block("state-1"));
}

TEST(UbootLoader, ReadsTheOtherCopyWhenOneIsTorn) {
  for (const char* torn : {"state-0", "state-1"}) {
    Boot device;
    ASSERT_TRUE(device.loader.Arm(device.entry, device.entry, 2, device.ctx).ok());
    device.Damage(torn);
    EXPECT_EQ(device.loader.Read()->trial, (LoaderState::Trial{.serial = 5, .tries_left = 2})) << torn;
    EXPECT_EQ(device.loader.Read()->damaged, torn);
    ASSERT_TRUE(device.loader.Arm(device.entry, device.entry, 2, device.ctx).ok());
    EXPECT_EQ(device.Block("state-0"), device.Block("state-1")) << "both copies again";
    EXPECT_EQ(device.loader.Read()->damaged, "");
  }
}

TEST(UbootLoader, CopyZeroWhichIsReadFirstIsWrittenLast) {
  Boot device;
  ASSERT_TRUE(device.loader.Bless(device.entry, device.ctx).ok());
  testing::FaultySyscalls second_write_fails(3, EIO);  // pwrite and fdatasync of copy 1 come before
  OpContext ctx{.clock = device.context.clock,
                .log = device.context.log,
                .progress = device.context.progress,
                .cancel = {},
                .sys = second_write_fails};
  EXPECT_FALSE(device.loader.Arm(device.entry, device.entry, 2, ctx).ok());
  EXPECT_EQ(second_write_fails.failed_call(), "pwrite");
  EXPECT_EQ(ParseUbootState(device.Block("state-0"))->trial, 0U);
  EXPECT_EQ(ParseUbootState(device.Block("state-1"))->trial, 5U);
  EXPECT_EQ(device.loader.Read()->trial, std::nullopt);
}

TEST(UbootLoader, RefusesArgumentsThatUbootWouldChange) {
  Boot device;
  for (const char* wrong : {"a=b\\c", "cost=$HOME", "a=b\nc", "a=\x01"}) {
    device.entry.arguments = {wrong};
    const Status status = device.loader.Check(device.entry);
    ASSERT_FALSE(status.ok()) << wrong;
    EXPECT_EQ(status.error().code(), Errc::kInvalid);
    EXPECT_THAT(status.error().message(), HasSubstr("U-Boot's environment loses a backslash"));
  }
}

// The old shell of U-Boot says little about what it did not understand.
void ExpectBalanced(const std::string& script) {
  std::vector<std::string> open;
  std::string words = script;
  for (char& c : words) {
    if (c == ';' || c == '\'' || c == '\n') c = ' ';
  }
  for (const std::string_view word : Split(words, ' ')) {
    if (word == "if" || word == "for") open.emplace_back(word);
    if (word == "fi" || word == "done") {
      ASSERT_FALSE(open.empty()) << script;
      EXPECT_EQ(open.back(), word == "fi" ? "if" : "for");
      open.pop_back();
    }
  }
  EXPECT_THAT(open, IsEmpty());
  EXPECT_THAT(script, Not(HasSubstr("@")));
}

TEST(UbootScript, EveryVariantIsFilledInAndBalanced) {
  for (const UbootArch arch : {UbootArch::kX86, UbootArch::kArm64}) {
    for (const UbootCounting counting : {UbootCounting::kState, UbootCounting::kBootcount}) {
      const std::string script = UbootScript({.arch = arch, .counting = counting, .top = "/boot"});
      // Without what is said to people.
      std::string commands;
      for (const std::string_view line : Split(script, '\n')) {
        if (!Trim(line).starts_with('#') && !Trim(line).starts_with("echo")) commands += StrCat(line, "\n");
      }
      ExpectBalanced(commands);
      EXPECT_THAT(script, HasSubstr("setenv hostapp_dir /boot/hostapp/uboot\n"));
      EXPECT_EQ(script.find("zboot 0x1000000 ") != std::string::npos, arch == UbootArch::kX86);
      EXPECT_EQ(script.find("booti ${kernel_addr_r} ${ramdisk_addr_r}:") != std::string::npos,
                arch == UbootArch::kArm64);
      EXPECT_EQ(script.find("save ") != std::string::npos, counting == UbootCounting::kState);
      EXPECT_EQ(script.find("itest ${bootcount} <= ${hostapp_tries}") != std::string::npos,
                counting == UbootCounting::kBootcount);
    }
  }
}

TEST(UbootScript, CountsInBothCopiesBeforeItStartsTheTrial) {
  const std::string script = UbootScript({});
  const size_t copy1 = script.find("save ${devtype}"), copy0 = script.find("state-0 200", copy1);
  const size_t start = script.find("setenv hostapp_serial ${hostapp_trial}");
  EXPECT_NE(script.find("state-1 200", copy1), std::string::npos);
  EXPECT_LT(script.find("state-1 200", copy1), copy0);
  EXPECT_LT(copy0, start);
  EXPECT_NE(start, std::string::npos);
}

TEST(UbootScript, SizesAreThoseOfTheFiles) {
  EXPECT_EQ(kUbootStateBytes, 0x200U);
  EXPECT_EQ(kUbootProvenBytes, 0x200U);
  EXPECT_EQ(kUbootEntryBytes, 0x1000U);
}

TEST(UbootScript, TheBoardsOwnCountGoesOnWithoutTheTrial) {
  EXPECT_EQ(UbootBootcountEnvironment(), "bootlimit=9\naltbootcmd=setenv hostapp_no_trial 1; run bootcmd\n");
  EXPECT_THAT(UbootScript({.counting = UbootCounting::kBootcount}), HasSubstr("test -z \"${hostapp_no_trial}\""));
}

// SOURCE_DATE_EPOCH=0 mkimage -A x86 -T script -C none -n hostapp (2023.01) of "echo hi\n".
TEST(UbootScript, TheImageIsMkimages) {
  const std::string image = UbootScriptImage("echo hi\n", UbootArch::kX86);
  EXPECT_EQ(HexEncode(AsBytes(image)),
            "2705195611bf7c5e00000000000000100000000000000000d934016205030600686f73746170700000000000000000000000000000"
            "000000000000000000000000000008000000006563686f2068690a");
}

}  // namespace
}  // namespace hostapp

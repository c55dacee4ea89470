// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/grub_config.h"
#include "ostree-integration/deploy/loaders/grub_env.h"
#include "tests/support/call_order.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(GrubEnv, HasGrubsFormAndSaysItAllInTheFirstSector) {
  const std::string block = EncodeGrubEnv({.default_serial = 4294967295, .trial = 9999999999, .tries = 9});
  ASSERT_EQ(block.size(), 1024U);
  EXPECT_EQ(block.substr(0, block.find('#', 1)),
            "# GRUB Environment Block\nhostapp_default=4294967295\nhostapp_trial=9999999999\nhostapp_tries=09\n");
  EXPECT_LT(block.find('#', 1), 512U);
  EXPECT_EQ(block.find_first_not_of('#', block.find('#', 1)), std::string::npos);
}

TEST(GrubEnv, ComesBackAsItWas) {
  for (const GrubEnv& env :
       {GrubEnv{}, GrubEnv{.default_serial = 1}, GrubEnv{.default_serial = 1, .trial = 2, .tries = 3},
        GrubEnv{.default_serial = 12, .trial = 13, .tries = 0}}) {
    EXPECT_EQ(ParseGrubEnv(EncodeGrubEnv(env)), env);
  }
}

TEST(GrubEnv, UnderstandsOnlyWhatItWouldWrite) {
  const auto parse = [](std::string text) {
    text = "# GRUB Environment Block\n" + text;
    text.resize(kGrubEnvBytes, '#');
    return ParseGrubEnv(text);
  };
  EXPECT_EQ(parse("hostapp_default=0000000007\n").default_serial, 7U);
  for (const char* wrong :
       {"hostapp_default=7\n", "hostapp_default=00000000a7\n", "hostapp_default=0000000000\n",
        "hostapp_default= 000000007\n", "hostapp_default=\n", "hostapp_default\n", "#\nhostapp_default=0000000007\n"}) {
    EXPECT_EQ(parse(wrong), GrubEnv{}) << wrong;
  }
  EXPECT_EQ(parse("hostapp_trial=0000000007\nhostapp_tries=x\n").tries, 0);
  EXPECT_EQ(parse("hostapp_trial=0000000007\nhostapp_tries=3\n").tries, 0);
  EXPECT_EQ(ParseGrubEnv(EncodeGrubEnv({.default_serial = 7}).substr(1)), GrubEnv{});
  EXPECT_EQ(ParseGrubEnv(""), GrubEnv{});
}

struct Entry {
  Entry() : boot(OpenDir(AT_FDCWD, dir.path(), RealSyscalls()).value()) {}
  Status Stage() { return GrubLoader(boot.get()).Stage(entry, ctx); }
  Status Check() { return GrubLoader(boot.get()).Check(entry); }
  std::string Config() { return ReadFile(boot.get(), "hostapp/grub/entries/0000000005/entry.cfg", 9999).value(); }

  testing::TempDir dir;
  UniqueFd boot;
  testing::TestContext context;
  testing::FaultySyscalls sys;
  OpContext ctx{.clock = context.clock, .log = context.log, .progress = context.progress, .cancel = {}, .sys = sys};
  BootEntry entry{.serial = 5, .boot_set = HashOf(AsBytes("set")), .arguments = {}, .version = {}, .proven = false};
};

// On FAT a rename can leave two names of one folder.
TEST(GrubLoader, WritesAnEntryUnderItsNameAndItsListLast) {
  testing::CallOrder sys;
  Entry made;
  OpContext ctx{.clock = made.context.clock,
                .log = made.context.log,
                .progress = made.context.progress,
                .cancel = {},
                .sys = sys};
  ASSERT_TRUE(GrubLoader(made.boot.get()).Stage(made.entry, ctx).ok());
  EXPECT_THAT(sys.calls(), ElementsAre("sync all", "sync all", "make entry.cfg", "sync entry.cfg", "sync 0000000005",
                                       "make SHA256SUMS", "sync SHA256SUMS", "sync 0000000005", "sync all"));
}

TEST(GrubLoader, WritesArgumentsAsTextWithoutQuotes) {
  Entry made;
  made.entry.arguments = {"root=UUID=1-2", "dyndbg=\"file a.c +p; x\"", "\"whole thing=1\"", "cost=$HOME;{x}"};
  ASSERT_TRUE(made.Stage().ok());
  const std::string set = HashOf(AsBytes("set")).Hex();
  EXPECT_EQ(made.Config(), "set boot_set=" + set + "\nfunction start_kernel {\n  linux \"$top/hostapp/" + set +
                               "/linux\" 'hostapp.deployment=5' 'hostapp.boot-set=" + set +
                               "' 'panic=10' 'fsck.repair=yes' 'rd.shell=0' 'rd.emergency=reboot' 'root=UUID=1-2' "
                               "'dyndbg=file a.c +p; x' 'whole thing=1' 'cost=$HOME;{x}'\n}\n");
}

TEST(GrubLoader, RefusesArgumentsThatGrubWouldChange) {
  for (const char* wrong : {"a='b'", "a=b\\c", "a=b\"c d\"", "a=\"b\"\"c\"", "\"a\"b", "a=b\tc", "a=\"b\nc\""}) {
    Entry made;
    made.entry.arguments = {wrong};
    const Status status = made.Check();
    ASSERT_FALSE(status.ok()) << wrong;
    EXPECT_EQ(status.error().code(), Errc::kInvalid);
    EXPECT_THAT(status.error().message(), HasSubstr("GRUB cannot pass on"));
  }
}

TEST(GrubLoader, CountsWhatGrubAddsToTheArguments) {
  Entry made;
  const std::string ours = Join(EntryArguments(made.entry), " ");
  const std::string added = StrCat("BOOT_IMAGE=/hostapp/", made.entry.boot_set.Hex(), "/linux ");
  const size_t left = 2047 - added.size() - kMaxGrubTopBytes - ours.size();
  made.entry.arguments = {StrCat("x=", std::string(left - 3, 'y'))};
  EXPECT_TRUE(made.Check().ok());
  made.entry.arguments = {StrCat("x=", std::string(left - 2, 'y'))};
  const Status status = made.Check();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kInvalid);
  EXPECT_THAT(status.error().message(), HasSubstr("that GRUB adds, 2048 bytes, more than the 2047"));
  made.entry.arguments = {StrCat("x= ", std::string(left - 4, 'y'))};
  EXPECT_FALSE(made.Check().ok()) << "GRUB puts it into quotes";
}

TEST(GrubLoader, RemovesAnEntrysListFirst) {
  Entry made;
  ASSERT_TRUE(made.Stage().ok());
  testing::FaultySyscalls sys(2, EIO, testing::FaultySyscalls::Which::kThatAndAllAfter);
  OpContext ctx{made.context.clock, made.context.log, made.context.progress, {}, sys};
  ASSERT_FALSE(GrubLoader(made.boot.get()).Remove(5, ctx).ok());
  EXPECT_FALSE(Exists(made.boot.get(), "hostapp/grub/entries/0000000005/SHA256SUMS"));
  EXPECT_TRUE(Exists(made.boot.get(), "hostapp/grub/entries/0000000005/entry.cfg"));
  ASSERT_TRUE(made.Stage().ok()) << "and what is left of it is in nobody's way";
  EXPECT_EQ(GrubLoader(made.boot.get()).Read().value().entries, std::vector<uint64_t>{5});
}

TEST(GrubLoader, OverwritesItsEnvironmentInPlace) {
  Entry made;
  ASSERT_TRUE(made.Stage().ok());
  GrubLoader loader(made.boot.get());
  ASSERT_TRUE(loader.Bless(made.entry, made.ctx).ok());
  const auto inode = [&] {
    struct stat info {};
    EXPECT_EQ(::fstatat(made.boot.get(), "hostapp/grub/env", &info, 0), 0);
    return info.st_ino;
  };
  const auto before = inode();
  ASSERT_TRUE(loader.Arm(made.entry, made.entry, 2, made.ctx).ok());
  EXPECT_EQ(inode(), before) << "GRUB would go on counting in the old file";
}

}  // namespace
}  // namespace hostapp

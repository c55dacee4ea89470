// SPDX-License-Identifier: Apache-2.0
// A boot file system with room for so many boot sets and no more.
#include "hostapp/lifecycle/make_room.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "hostapp/boot/mark.h"
#include "hostapp/boot/pin.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/open_image.h"
#include "tests/support/tar_bytes.h"
#include "tests/support/test_image.h"

namespace hostapp {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using testing::TinyImage;

constexpr uint64_t kInitramfsBytes = 300000;
constexpr uint64_t kSetBytes = kInitramfsBytes + 100000;  // with its kernel, and what is added for names and sums

TinyImage Release(const std::string& release) {
  return {.release = release, .initramfs = std::string(kInitramfsBytes, release.front())};
}

// The real system calls; what is below `folder` takes its bytes of so many.
class SmallFolder : public Syscalls {
 public:
  SmallFolder(std::string folder, uint64_t bytes) : folder_(std::move(folder)), bytes_(bytes) {}
  int Fstatvfs(int fd, struct statvfs* out) override {
    const int result = Syscalls::Fstatvfs(fd, out);
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
    if (!path.starts_with(folder_)) return result;
    uint64_t used = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) used += entry.file_size();
    }
    out->f_frsize = 1;
    out->f_bavail = used > bytes_ ? 0 : bytes_ - used;
    return result;
  }

 private:
  std::string folder_;
  uint64_t bytes_;
};

struct MakeRoomTest : ::testing::Test {
  explicit MakeRoomTest(uint64_t sets = 3) : small(sysroot.boot(), sets * kSetBytes) {
    for (const char* release : {"1", "2", "3", "4"}) {
      testing::WriteTinyImage(sysroot.images(), release, Release(release));
    }
  }
  OpContext ctx() { return {sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, small}; }
  Device device() { return OpenDevice(sysroot.paths(), sysroot.ctx()).value(); }
  Result<DeployReport> Deploy(const std::string& tag) {
    OpContext with = ctx();
    const Reference reference = ParseReference(sysroot.ReferenceText(tag)).value();
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, with));
    Device open = device();
    return DeployImage(open, reference, *source, {}, with);
  }
  Result<PullPlan> DryRun(const std::string& tag) {
    OpContext with = ctx();
    const Reference reference = ParseReference(sysroot.ReferenceText(tag)).value();
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, with));
    Device open = device();
    return PlanDeploy(open, reference, *source, {}, with);
  }
  void Good(const std::string& tag) {
    ASSERT_TRUE(Deploy(tag).ok());
    ASSERT_TRUE(MarkGood(device(), sysroot.ctx()).ok());
  }
  void Failed(const std::string& tag) {
    ASSERT_TRUE(Deploy(tag).ok());
    ASSERT_TRUE(MarkFailed(device(), bootsel::Cause::kMarkedFailed, "", sysroot.ctx()).ok());
  }
  std::set<std::string> Serials() { return testing::NamesIn(sysroot.root() + "/hostapp/deployments"); }

  testing::TestSysrootWithStore sysroot;
  SmallFolder small;
};

// Two boot sets.
struct MakeLittleRoomTest : MakeRoomTest {
  MakeLittleRoomTest() : MakeRoomTest(2) {}
};

TEST_F(MakeRoomTest, AFailedReleaseIsNotInTheWayOfTheNext) {
  ASSERT_TRUE(Deploy("1").ok());
  Good("2");
  Failed("3");
  EXPECT_THAT(Serials(), ElementsAre("1", "2", "3"));
  ASSERT_TRUE(DryRun("4").ok());
  EXPECT_THAT(Serials(), ElementsAre("1", "2", "3"));  // a dry run removes nothing
  const Result<DeployReport> fourth = Deploy("4");
  ASSERT_TRUE(fourth.ok()) << fourth.error().message();
  EXPECT_THAT(Serials(), ElementsAre("1", "2", "4"));
}

TEST_F(MakeRoomTest, WhatAnInterruptedDeployHasBroughtOfTheImageStays) {
  ASSERT_TRUE(Deploy("1").ok());
  Good("2");
  Failed("3");
  const std::string base = testing::TinyBaseLayer(Release("4")), top = testing::TinyTopLayer(Release("4"));
  const std::string more = testing::TarBytes().Dir("usr/").File("usr/more", std::string(500000, 'm')).End();
  testing::WriteImage(sysroot.images(), "begun", {base, more}, "4");
  testing::WriteImage(sysroot.images(), "4", {base, more, top}, "4");
  ImageStore store = sysroot.OpenStore();
  const auto open = [&](const std::string& tag) {
    return OpenSource(ParseReference(sysroot.ReferenceText(tag)).value(), {}, sysroot.ctx()).value();
  };
  const auto plan_of = [&](const std::string& tag) {
    const std::unique_ptr<ImageSource> source = open(tag);
    const Reference reference = ParseReference(sysroot.ReferenceText(tag)).value();
    const ResolvedImage image = ResolveImage(reference, *source, HostPlatform(), sysroot.ctx()).value();
    return PlanPull(device(), store, image.manifest, *source, sysroot.ctx()).value();
  };
  // Two layers of three, and the begin of the third.
  const PullPlan begun = plan_of("begun");
  ASSERT_TRUE(ImportImage(store, begun.manifest, begun.config, *open("begun"), sysroot.ctx()).ok());
  testing::WriteText(StrCat(sysroot.root(), "/hostapp/tmp/", SpoolName(plan_of("4").manifest.layers[2].digest)),
                     top.substr(0, 1000));
  const PullPlan before = plan_of("4");
  ASSERT_EQ(before.import.missing.size(), 1U);
  ASSERT_EQ(before.import.download_bytes, top.size() - 1000);

  OpContext with = ctx();
  const Result<PullPlan> after = PlanWithRoom(sysroot.LockStore(), device(), store, before.manifest, *open("4"), with);
  ASSERT_TRUE(after.ok()) << after.error().message();
  EXPECT_THAT(Serials(), ElementsAre("1", "2")) << "room was to be made";
  EXPECT_EQ(after->import.missing.size(), 1U);
  EXPECT_EQ(after->import.download_bytes, before.import.download_bytes);
}

TEST_F(MakeRoomTest, NothingGoesWhileThereIsRoom) {
  ASSERT_TRUE(Deploy("1").ok());
  Failed("2");
  ASSERT_TRUE(Deploy("3").ok());
  EXPECT_THAT(Serials(), ElementsAre("1", "2", "3"));
}

TEST_F(MakeLittleRoomTest, ThePreviousOneIsOfferedAndGivenUpOnlyWhenTold) {
  ASSERT_TRUE(Deploy("1").ok());
  Good("2");
  for (const auto& refused : {DryRun("3").status(), Status(Deploy("3").error())}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Errc::kNoSpace);
    EXPECT_THAT(refused.error().message(),
                AllOf(HasSubstr("deployment 1, the previous one, could be given up"), HasSubstr("--give-up-previous")));
  }
  EXPECT_THAT(Serials(), ElementsAre("1", "2"));
  ASSERT_EQ(GiveUpPrevious(device(), sysroot.ctx()).value(), 1u);
  const Result<DeployReport> third = Deploy("3");
  ASSERT_TRUE(third.ok()) << third.error().message();
  EXPECT_THAT(Serials(), ElementsAre("2", "3"));
  EXPECT_EQ(GiveUpPrevious(device(), sysroot.ctx()).error().code(), Errc::kNotFound);
}

TEST_F(MakeLittleRoomTest, APinnedOneIsNotOffered) {
  ASSERT_TRUE(Deploy("1").ok());
  Good("2");
  ASSERT_TRUE(Pin(device(), 1, sysroot.ctx()).ok());
  const Result<DeployReport> refused = Deploy("3");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Errc::kNoSpace);
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("given up")));
}

TEST_F(MakeLittleRoomTest, ThePreviousOneIsNotGivenUpForADefaultThatNeverProvedItself) {
  ASSERT_TRUE(Deploy("1").ok());
  Good("2");
  std::filesystem::remove(sysroot.DeploymentPath(2) + "/good");
  EXPECT_EQ(GiveUpPrevious(device(), sysroot.ctx()).error().code(), Errc::kBusy);
  EXPECT_THAT(Deploy("3").error().message(), Not(HasSubstr("given up")));
  EXPECT_THAT(Serials(), IsSupersetOf({"1", "2"}));
}

}  // namespace
}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// The verbs that need an image: init, deploy, upgrade, gc, pin and remove, fsck, etc diff, mount. The image is a tiny
// one in a layout directory.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostapp/base/strings.h"
#include "hostapp/boot/mark.h"
#include "hostapp/boot/mount.h"
#include "hostapp/boot/pin.h"
#include "hostapp/boot/rollback.h"
#include "hostapp/boot/status.h"
#include "hostapp/lifecycle/check_device.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/etc_diff.h"
#include "hostapp/lifecycle/factory_reset.h"
#include "hostapp/lifecycle/init_sysroot.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/open_image.h"
#include "hostapp/lifecycle/upgrade.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/sysroot/open_loader.h"
#include "tests/support/test_image.h"

namespace hostapp {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;
using testing::TinyImage;
using ::testing::UnorderedElementsAre;

// What `release` brings: another initramfs, so another boot set.
TinyImage Release(const std::string& release) { return {.release = release, .initramfs = "initramfs of " + release}; }

struct VerbsTest : ::testing::Test {
  Device device() { return OpenDevice(sysroot.paths(), ctx()).value(); }
  OpContext& ctx() { return sysroot.ctx(); }
  OpContext With(Syscalls& sys) { return {ctx().clock, ctx().log, ctx().progress, {}, sys}; }

  std::string Publish(const std::string& tag, const TinyImage& image) {
    return testing::WriteTinyImage(sysroot.images(), tag, image);
  }
  Result<DeployReport> Deploy(const std::string& tag, const DeployOptions& options = {}) {
    return Deploy(tag, options, ctx());
  }
  Result<DeployReport> Deploy(const std::string& tag, const DeployOptions& options, OpContext& with) {
    const Reference reference = ParseReference(sysroot.ReferenceText(tag)).value();
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, with));
    Device open = device();
    return DeployImage(open, reference, *source, options, with);
  }
  Result<UpgradeReport> RunUpgrade(const UpgradeOptions& options = {}) {
    Device open = device();
    return Upgrade(open, options, ctx());
  }
  GarbageReport Gc(PruneMode mode = PruneMode::kRemove) { return CollectGarbage(device(), mode, ctx()).value(); }
  std::set<std::string> Serials() { return testing::NamesIn(sysroot.root() + "/hostapp/deployments"); }
  std::set<std::string> BootSets() { return testing::NamesIn(sysroot.boot() + "/hostapp"); }
  size_t Images() { return ListImages(sysroot.OpenStore()).value().size(); }

  testing::TestSysrootWithStore sysroot;
};

// -- init

TEST(InitSysroot, MakesWhatOpensAndChangesNothingASecondTime) {
  const testing::TempDir dir;
  testing::TestContext context;
  const SysrootPaths paths{.root = dir / "a/b", .boot = dir / "a/b/boot", .boot_record = {}};
  EXPECT_EQ(OpenDevice(paths, context.ctx).error().code(), Errc::kNotFound);
  ASSERT_TRUE(InitSysroot(paths, context.ctx).ok());
  const Result<Device> device = OpenDevice(paths, context.ctx);
  ASSERT_TRUE(device.ok()) << device.error().message();
  const std::string ledger = testing::ReadText(paths.root + "/hostapp/boot-ledger");
  ASSERT_TRUE(InitSysroot(paths, context.ctx).ok());
  EXPECT_EQ(testing::ReadText(paths.root + "/hostapp/boot-ledger"), ledger);
  EXPECT_EQ(GetStatus(*device, context.ctx)->next_boot, bootsel::kNoSerial);
}

// -- deploy

TEST_F(VerbsTest, TheFirstDeploymentIsTheDefaultAtOnceAndTheNextIsOnTrial) {
  Publish("one", Release("1"));
  const std::string digest = Publish("two", Release("2"));
  const DeployReport first = Deploy("one").value();
  EXPECT_EQ(first.serial, 1u);
  EXPECT_FALSE(first.on_trial);
  const DeployReport second = Deploy("two", {.tries = 2, .kernel_arguments = {"debug"}}).value();
  EXPECT_EQ(second.serial, 2u);
  EXPECT_TRUE(second.on_trial);
  EXPECT_EQ(second.manifest_digest.ToString(), digest);
  const bootsel::Ledger ledger = sysroot.Ledger();
  EXPECT_EQ(ledger.default_deployment.serial, 1u);
  EXPECT_EQ(ledger.trial.serial, 2u);
  EXPECT_EQ(ledger.trial.tries_left, 2);
  EXPECT_EQ(ledger.trial.etc_from, 1u);
  const Deployment deployment = LoadDeployment(sysroot.Open(), 2).value();
  EXPECT_EQ(deployment.reference, sysroot.ReferenceText("two"));
  EXPECT_EQ(deployment.version, "2");
  EXPECT_THAT(deployment.kernel_arguments, ElementsAre("quiet", "debug"));
  EXPECT_TRUE(std::filesystem::exists(sysroot.DeploymentPath(2) + "/root.cfs"));
  EXPECT_THAT(BootSets(), SizeIs(2));
}

TEST_F(VerbsTest, TheSameImageDeployedTwiceCostsNoObject) {
  Publish("one", Release("1"));
  ASSERT_TRUE(Deploy("one").ok());
  const DeployReport again = Deploy("one").value();
  EXPECT_EQ(again.serial, 2u);
  EXPECT_EQ(again.import.objects_written, 0u);
  EXPECT_EQ(again.import.downloaded_bytes, 0u);
  EXPECT_THAT(BootSets(), SizeIs(1));
  EXPECT_EQ(Images(), 1u);
}

TEST_F(VerbsTest, ADamagedRefOfAnImageIsWrittenAgainWhenItIsDeployed) {
  const Digest digest = Digest::Parse(Publish("one", Release("1"))).value();
  ASSERT_TRUE(Deploy("one").ok());
  std::filesystem::resize_file(sysroot.root() + "/ostree/repo/refs/heads/hostapp/image/" + digest.Hex(), 5);
  const Result<DeployReport> again = Deploy("one");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->import.objects_written, 0u);
  EXPECT_EQ(Images(), 1u);
  EXPECT_EQ(Gc().refs, 0u);
}

TEST_F(VerbsTest, DeployIsBusyWhileATrialRunsOrAnotherHasTheStore) {
  Publish("one", Release("1"));
  ASSERT_TRUE(Deploy("one").ok());
  ASSERT_TRUE(Deploy("one").ok());
  sysroot.Boot(2, "trial");
  EXPECT_EQ(Deploy("one").error().code(), Errc::kBusy);
  EXPECT_EQ(RunUpgrade().error().code(), Errc::kBusy);
  sysroot.Boot(1);
  {
    const StoreLock lock = sysroot.LockStore();
    EXPECT_EQ(Deploy("one").error().code(), Errc::kBusy);
  }
  EXPECT_EQ(Deploy("one")->serial, 3u);
}

TEST_F(VerbsTest, DeployRefusesBadOptionsBeforeItReadsAnything) {
  Publish("one", Release("1"));
  EXPECT_EQ(Deploy("one", {.tries = 0}).error().code(), Errc::kInvalid);
  EXPECT_EQ(Deploy("one", {.kernel_arguments = {"a b"}}).error().code(), Errc::kInvalid);
  EXPECT_THAT(Serials(), IsEmpty());
  EXPECT_EQ(Images(), 0u);
}

TEST_F(VerbsTest, DeployTakesNoMoreArgumentsThanFitWithAnySerial) {
  Publish("one", Release("1"));
  ASSERT_TRUE(WriteLoaderConfig(device().sysroot, {.kind = LoaderKind::kUboot}, ctx()).ok());
  BootEntry entry{.serial = 1, .boot_set = {}, .arguments = {"x=" + std::string(1000, 'x'), "y="}, .version = {}};
  const size_t room = kMaxCommandLineBytes - Join(EntryArguments(entry), " ").size();
  const Reference reference = ParseReference(sysroot.ReferenceText("one")).value();
  const auto source = OpenSource(reference, {}, ctx()).value();
  Device open = device();
  const auto plan = [&](size_t bytes) {
    const DeployOptions options{.kernel_arguments = {entry.arguments[0], "y=" + std::string(bytes, 'y')}};
    return PlanDeploy(open, reference, *source, options, ctx());
  };
  const auto fits_the_first = plan(room);
  ASSERT_FALSE(fits_the_first.ok()) << "with the serial 12 the kernel would cut it off";
  EXPECT_EQ(fits_the_first.error().code(), Errc::kInvalid);
  EXPECT_THAT(fits_the_first.error().message(), HasSubstr("more than the 2047"));
  EXPECT_TRUE(plan(room + 1 - std::to_string(bootsel::kMaxSerial).size()).ok());
}

TEST_F(VerbsTest, DeployNamesBothNumbersWhereThereIsNoRoomAndFetchesNothing) {
  Publish("one", Release("1"));
  testing::FullDisk sys(4096, 1000000);
  OpContext full = With(sys);
  const auto deployed = Deploy("one", {}, full);
  ASSERT_FALSE(deployed.ok());
  EXPECT_EQ(deployed.error().code(), Errc::kNoSpace);
  EXPECT_THAT(deployed.error().message(), AllOf(HasSubstr("4096"), HasSubstr("may need")));
  testing::FullDisk few(1000000000, 3);
  OpContext inodes = With(few);
  EXPECT_THAT(Deploy("one", {}, inodes).error().message(), HasSubstr("inodes"));
  EXPECT_THAT(Serials(), IsEmpty());
  EXPECT_TRUE(ListLayers(sysroot.OpenStore())->empty());
}

TEST_F(VerbsTest, AnImageThatCannotBootLeavesNoDeploymentAndTheLedgerAsItWas) {
  Publish("one", Release("1"));
  ASSERT_TRUE(Deploy("one").ok());
  const bootsel::Ledger before = sysroot.Ledger();
  TinyImage no_init = Release("2");
  no_init.has_init = false;
  TinyImage no_kernel = Release("3");
  no_kernel.kernel_version = "";
  TinyImage bad_argument = Release("4");
  bad_argument.more_files = {{"usr/lib/hostapp/kargs.d/1.toml", "kargs = [\"a b\"]"}};
  for (const TinyImage& image : {no_init, no_kernel, bad_argument}) {
    Publish("bad", image);
    EXPECT_EQ(Deploy("bad").error().code(), Errc::kCorrupt) << image.release;
    EXPECT_THAT(Serials(), ElementsAre("1")) << image.release;
    EXPECT_EQ(sysroot.Ledger(), before);
  }
  Gc();
  EXPECT_EQ(Images(), 1u);
}

TEST_F(VerbsTest, PlanDeployChangesNothing) {
  Publish("one", Release("1"));
  const Reference reference = ParseReference(sysroot.ReferenceText("one")).value();
  const auto source = OpenSource(reference, {}, ctx()).value();
  Device open = device();
  const PullPlan plan = PlanDeploy(open, reference, *source, {}, ctx()).value();
  EXPECT_THAT(plan.import.missing, SizeIs(2));
  EXPECT_FALSE(plan.in_store);
  EXPECT_THAT(Serials(), IsEmpty());
  ASSERT_TRUE(Deploy("one").ok());
  EXPECT_TRUE(PlanDeploy(open, reference, *source, {}, ctx())->in_store);
}

// -- upgrade

TEST_F(VerbsTest, UpgradeFindsNothingNewThenTheNewReleaseThenTheWaitingTrial) {
  Publish("stable", Release("1"));
  ASSERT_TRUE(Deploy("stable").ok());
  EXPECT_FALSE(RunUpgrade()->changed);
  const std::string digest = Publish("stable", Release("2"));
  EXPECT_TRUE(RunUpgrade({.mode = UpgradeOptions::Mode::kCheckOnly})->changed);
  EXPECT_THAT(Serials(), ElementsAre("1")) << "a check deploys nothing";
  const UpgradeReport report = RunUpgrade().value();
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(report.manifest_digest.ToString(), digest);
  EXPECT_EQ(report.deploy->serial, 2u);
  EXPECT_EQ(report.deploy->import.layers_reused, 1u) << "the layer that did not change";
  EXPECT_FALSE(RunUpgrade()->changed) << "it waits for its trial";
  ASSERT_TRUE(MarkGood(device(), ctx()).ok());
  EXPECT_FALSE(RunUpgrade()->changed);
}

TEST_F(VerbsTest, UpgradeLeavesAReleaseAloneThatFailedHereUnlessAskedTo) {
  Publish("stable", Release("1"));
  ASSERT_TRUE(Deploy("stable").ok());
  Publish("stable", Release("2"));
  ASSERT_TRUE(RunUpgrade().ok());
  ASSERT_TRUE(MarkFailed(device(), bootsel::Cause::kCheckFailed, "", ctx()).ok());
  Gc();
  ASSERT_THAT(Serials(), ElementsAre("1")) << "the failed release is remembered longer than its deployment";
  const UpgradeReport skipped = RunUpgrade().value();
  EXPECT_FALSE(skipped.changed);
  EXPECT_TRUE(skipped.skipped_failed_before);
  const UpgradeReport retried = RunUpgrade({.failed_before = UpgradeOptions::FailedBefore::kRetry}).value();
  EXPECT_TRUE(retried.changed);
  EXPECT_EQ(retried.deploy->serial, 3u) << "a serial number is not used twice";
  ASSERT_TRUE(MarkGood(device(), ctx()).ok());
  EXPECT_FALSE(sysroot.Ledger().failed.Contains(LedgerManifest(retried.manifest_digest)));
}

TEST_F(VerbsTest, UpgradeKeepsTheKernelArgumentsOfTheDeviceAndTakesTheNewImages) {
  Publish("stable", Release("1"));
  ASSERT_TRUE(Deploy("stable", {.kernel_arguments = {"console=ttyS0", "quiet"}}).ok());
  TinyImage next = Release("2");
  next.more_files = {{"usr/lib/hostapp/kargs.d/1.toml", "kargs = [\"new\"]"}};
  Publish("stable", next);
  ASSERT_TRUE(RunUpgrade().ok());
  EXPECT_THAT(LoadDeployment(sysroot.Open(), 2)->kernel_arguments,
              ElementsAre("quiet", "new", "console=ttyS0", "quiet"));
}

TEST_F(VerbsTest, UpgradeIsNotFoundWhereNothingIsDeployed) { EXPECT_EQ(RunUpgrade().error().code(), Errc::kNotFound); }

// -- what stays

TEST_F(VerbsTest, GcKeepsDefaultPreviousTrialAndPinnedOnesWithAllThatTheyNeed) {
  for (const char* release : {"1", "2", "3", "4", "5"}) Publish(release, Release(release));
  ASSERT_TRUE(Deploy("1").ok());
  for (const char* release : {"2", "3"}) {
    ASSERT_TRUE(Deploy(release).ok());
    ASSERT_TRUE(MarkGood(device(), ctx()).ok());
  }
  ASSERT_TRUE(Deploy("4").ok());
  ASSERT_TRUE(Pin(device(), 4, ctx()).ok());
  ASSERT_TRUE(Deploy("5").ok());  // takes the trial's place from 4
  EXPECT_THAT(Gc(PruneMode::kDryRun).deployments, ElementsAre(1u));
  EXPECT_THAT(Serials(), SizeIs(5));
  const GarbageReport report = Gc();
  EXPECT_THAT(report.deployments, ElementsAre(1u));
  EXPECT_EQ(report.boot_sets, 1u);
  EXPECT_GT(report.objects, 0u);
  EXPECT_THAT(Serials(), ElementsAre("2", "3", "4", "5"));
  EXPECT_THAT(BootSets(), SizeIs(4));
  EXPECT_EQ(Images(), 4u);
  ASSERT_TRUE(Unpin(device(), 4, ctx()).ok());
  EXPECT_THAT(Gc().deployments, ElementsAre(4u));
  EXPECT_THAT(Gc().deployments, IsEmpty());
  const DeviceReport checked = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
  EXPECT_TRUE(checked.ok());
}

TEST_F(VerbsTest, GcKeepsWhatRunsEvenIfTheLedgerDoesNotNameIt) {
  for (const char* release : {"1", "2"}) Publish(release, Release(release));
  ASSERT_TRUE(Deploy("1").ok());
  ASSERT_TRUE(Deploy("2").ok());
  ASSERT_TRUE(MarkFailed(device(), bootsel::Cause::kMarkedFailed, "", ctx()).ok());
  sysroot.Boot(2, "asked-for");
  EXPECT_THAT(Gc().deployments, IsEmpty());
  EXPECT_EQ(Images(), 2u);
  sysroot.Boot(1);
  EXPECT_THAT(Gc().deployments, ElementsAre(2u));
}

TEST_F(VerbsTest, WhatTheEtcOfAWaitingTrialBeginsFromStays) {
  for (const char* release : {"1", "2", "3", "4"}) Publish(release, Release(release));
  ASSERT_TRUE(Deploy("1").ok());
  for (const char* release : {"2", "3"}) {
    ASSERT_TRUE(Deploy(release).ok());
    ASSERT_TRUE(MarkGood(device(), ctx()).ok());
  }
  sysroot.Boot(1, "asked-for");
  ASSERT_TRUE(Deploy("4").ok());
  sysroot.Boot(3);
  EXPECT_THAT(Gc().deployments, IsEmpty());
  const Status removed = Remove(device(), 1, ctx());
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code(), Errc::kBusy);
  ASSERT_TRUE(Rollback(device(), std::nullopt, ctx()).ok());
  EXPECT_THAT(Gc().deployments, ElementsAre(1u, 4u));
}

TEST_F(VerbsTest, GcTakesWhatInterruptedRunsLeft) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1").ok());
  testing::WriteText(sysroot.DeploymentPath(7) + "/root/usr/bin/sh", "half a tree");
  testing::WriteText(sysroot.DeploymentPath(1) + "/.good.new", "");
  testing::WriteText(sysroot.root() + "/hostapp/.boot-ledger.new", "half");
  testing::WriteText(StrCat(sysroot.boot(), "/hostapp/", std::string(64, 'a'), "/linux"), "half");
  testing::WriteText(StrCat(sysroot.boot(), "/hostapp/", std::string(64, 'b'), "/SHA256SUMS"), "");
  EXPECT_THAT(Gc().deployments, ElementsAre(7u));
  EXPECT_THAT(Serials(), ElementsAre("1"));
  EXPECT_THAT(BootSets(), SizeIs(1));
  EXPECT_THAT(testing::NamesIn(sysroot.DeploymentPath(1)), ::testing::Not(Contains(".good.new")));
  EXPECT_THAT(testing::NamesIn(sysroot.root() + "/hostapp"), ::testing::Not(Contains(".boot-ledger.new")));
}

TEST_F(VerbsTest, GcCollectsNothingWhileTheRecordOfANeededDeploymentCannotBeRead) {
  for (const char* release : {"1", "2"}) Publish(release, Release(release));
  ASSERT_TRUE(Deploy("1").ok());
  ASSERT_TRUE(Deploy("2").ok());
  ASSERT_TRUE(MarkFailed(device(), bootsel::Cause::kMarkedFailed, "", ctx()).ok());
  testing::WriteText(sysroot.DeploymentPath(1) + "/deployment.json", "{");
  const auto collected = CollectGarbage(device(), PruneMode::kRemove, ctx());
  ASSERT_FALSE(collected.ok());
  EXPECT_EQ(collected.error().code(), Errc::kCorrupt);
  EXPECT_THAT(collected.error().message(), HasSubstr("nothing was removed"));
  EXPECT_THAT(Serials(), ElementsAre("1", "2"));
  EXPECT_EQ(Images(), 2u);
}

TEST_F(VerbsTest, RemoveTakesOnlyWhatNothingNeedsPinnedOrNot) {
  for (const char* release : {"1", "2", "3", "4"}) Publish(release, Release(release));
  ASSERT_TRUE(Deploy("1").ok());
  ASSERT_TRUE(Deploy("2").ok());
  ASSERT_TRUE(MarkGood(device(), ctx()).ok());
  ASSERT_TRUE(Deploy("3").ok());
  ASSERT_TRUE(Pin(device(), 3, ctx()).ok());
  ASSERT_TRUE(Deploy("4").ok());
  for (const DeploymentSerial needed : {1u, 2u, 4u}) {
    EXPECT_EQ(Remove(device(), needed, ctx()).error().code(), Errc::kBusy) << needed;
  }
  EXPECT_EQ(Remove(device(), 9, ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(Pin(device(), 9, ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(Unpin(device(), 9, ctx()).error().code(), Errc::kNotFound);
  testing::WriteText(sysroot.DeploymentPath(3) + "/deployment.json", "{");  // even so
  EXPECT_TRUE(Remove(device(), 3, ctx()).ok());
  EXPECT_THAT(Serials(), ElementsAre("1", "2", "4"));
}

// -- fsck

TEST_F(VerbsTest, FsckFindsAndMendsWhatIsDamaged) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1", {.root = RootKind::kCheckout}).ok());
  const HashValue boot_set = LoadDeployment(sysroot.Open(), 1)->boot_set;
  EXPECT_TRUE(CheckDevice(device(), RepairMode::kReportOnly, {}, ctx())->ok());
  std::filesystem::remove(StrCat(sysroot.boot(), "/hostapp/", boot_set.Hex(), "/linux"));
  testing::WriteText(sysroot.DeploymentPath(1) + "/root/usr/share/large", std::string(100000, 'y'));  // the object too
  std::string ledger = testing::ReadText(sysroot.root() + "/hostapp/boot-ledger");
  ledger[50] = static_cast<char>(ledger[50] ^ 1);
  testing::WriteText(sysroot.root() + "/hostapp/boot-ledger", ledger);
  std::set<std::string> kinds;
  const DeviceReport damaged = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
  for (const DeviceProblem& problem : damaged.problems) {
    kinds.insert(problem.kind);
    EXPECT_FALSE(problem.repaired);
  }
  EXPECT_THAT(kinds, IsSupersetOf({"damaged-boot-set", "damaged-object", "ledger-slot"}));
  const DeviceReport repaired = CheckDevice(device(), RepairMode::kRepair, {}, ctx()).value();
  for (const DeviceProblem& problem : repaired.problems) EXPECT_TRUE(problem.repaired) << problem.what;
  const DeviceReport after = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
  for (const DeviceProblem& problem : after.problems) ADD_FAILURE() << problem.what;
  EXPECT_EQ(testing::ReadText(sysroot.DeploymentPath(1) + "/root/usr/share/large"), std::string(100000, 'x'));
}

TEST_F(VerbsTest, FsckMendsOwnerModeAndAttributesInACheckoutRoot) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1", {.root = RootKind::kCheckout}).ok());
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  // Of the object, too: the store's becomes a new one, and the deployment is left with this.
  ASSERT_EQ(::chown((root + "usr/bin/tool").c_str(), 4711, 4711), 0);
  ASSERT_EQ(::setxattr((root + "usr/share/release").c_str(), "user.bad", "x", 1, 0), 0);
  ASSERT_EQ(::chmod((root + "usr/share").c_str(), 0777), 0);
  EXPECT_TRUE(CheckDevice(device(), RepairMode::kRepair, {}, ctx())->ok());
  struct stat info {};
  ASSERT_EQ(::stat((root + "usr/bin/tool").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_LT(::getxattr((root + "usr/share/release").c_str(), "user.bad", nullptr, 0), 0);
  ASSERT_EQ(::stat((root + "usr/share").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755U);
  const DeviceReport after = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
  for (const DeviceProblem& problem : after.problems) ADD_FAILURE() << problem.what;
}

TEST_F(VerbsTest, FsckSaysOfEachObjectWhetherItWasMended) {
  Publish("1", Release("1"));
  Publish("2", Release("2"));
  ASSERT_TRUE(Deploy("1", {.root = RootKind::kCheckout}).ok());
  ASSERT_TRUE(Deploy("2", {.root = RootKind::kCheckout}).ok());
  for (const DeploymentSerial serial : {1U, 2U}) {
    testing::WriteText(sysroot.DeploymentPath(serial) + "/root/usr/share/release", "x");
  }
  std::filesystem::remove_all(sysroot.images());
  Publish("1", Release("1"));  // the second is nowhere any more
  const DeviceReport report = CheckDevice(device(), RepairMode::kRepair, {}, ctx()).value();
  std::vector<bool> repaired;
  for (const DeviceProblem& problem : report.problems) {
    if (problem.kind == "damaged-object") repaired.push_back(problem.repaired);
  }
  EXPECT_THAT(repaired, UnorderedElementsAre(true, false));
}

TEST_F(VerbsTest, WhatLosesItsRefIsNotCollectedAndGetsItAgain) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1").ok());
  const std::string refs = sysroot.root() + "/ostree/repo/refs/heads/hostapp";
  for (const std::string kind : {"/image", "/layer"}) {
    for (const std::string& name : testing::NamesIn(refs + kind)) std::filesystem::remove(refs + kind + "/" + name);
    const DeviceReport report = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
    ASSERT_FALSE(report.ok()) << kind;
    EXPECT_EQ(report.problems[0].kind, "missing-ref");
    if (kind == "/image") {
      const auto collected = CollectGarbage(device(), PruneMode::kRemove, ctx());
      ASSERT_FALSE(collected.ok());
      EXPECT_EQ(collected.error().code(), Errc::kCorrupt);
      EXPECT_THAT(collected.error().message(), HasSubstr("nothing was removed; run: hostapp fsck --repair"));
    }
    EXPECT_TRUE(CheckDevice(device(), RepairMode::kRepair, {}, ctx())->ok()) << kind;
    EXPECT_TRUE(CheckDevice(device(), RepairMode::kReportOnly, {}, ctx())->ok()) << kind;
    EXPECT_EQ(Gc().objects, 0u) << kind;
  }
}

TEST_F(VerbsTest, FsckMissesADeploymentThatTheLedgerNames) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1").ok());
  std::filesystem::remove(sysroot.DeploymentPath(1) + "/deployment.json");
  const DeviceReport report = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx()).value();
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.problems[0].what,
              HasSubstr("names deployment 1 as the default, and its deployment.json is missing"));
}

TEST_F(VerbsTest, FsckMakesAMissingBootSetAgain) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1").ok());
  const HashValue boot_set = LoadDeployment(sysroot.Open(), 1)->boot_set;
  std::filesystem::remove_all(StrCat(sysroot.boot(), "/hostapp/", boot_set.Hex()));
  EXPECT_FALSE(CheckDevice(device(), RepairMode::kReportOnly, {}, ctx())->ok());
  EXPECT_TRUE(CheckDevice(device(), RepairMode::kRepair, {}, ctx())->ok());
  EXPECT_TRUE(CheckBootSet(sysroot.Open(), boot_set).ok());
}

// -- looking inside

using Changes = std::vector<std::pair<EtcChange::Kind, std::string>>;

TEST_F(VerbsTest, EtcDiffListsWhatADeploymentChanged) {
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1").ok());
  EXPECT_THAT(EtcDiff(device(), 1, ctx()).value(), IsEmpty()) << "it has never booted";
  EXPECT_EQ(EtcDiff(device(), 2, ctx()).error().code(), Errc::kNotFound);
  const std::string upper = sysroot.DeploymentPath(1) + "/etc/upper/";
  testing::WriteText(upper + "hostname", "mine");
  testing::WriteText(upper + "network/added.conf", "");
  if (::mknod((upper + "release").c_str(), S_IFCHR, makedev(0, 0)) != 0) {
    GTEST_SKIP() << "needs root: a whiteout is a character device";
  }
  std::filesystem::create_directories(upper + "ssl");
  ASSERT_EQ(::setxattr((upper + "ssl").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  Changes changes;
  for (const EtcChange& change : EtcDiff(device(), 1, ctx()).value()) changes.emplace_back(change.kind, change.path);
  using Kind = EtcChange::Kind;
  EXPECT_EQ(changes, (Changes{{Kind::kModified, "hostname"},
                              {Kind::kAdded, "network"},
                              {Kind::kAdded, "network/added.conf"},
                              {Kind::kRemoved, "release"},
                              {Kind::kRemoved, "ssl/ca.pem"}}));
}

struct VerbsByRootTest : VerbsTest, ::testing::WithParamInterface<RootKind> {};
INSTANTIATE_TEST_SUITE_P(Roots, VerbsByRootTest, ::testing::Values(RootKind::kComposefs, RootKind::kCheckout),
                         [](const auto& kind) {
                           return kind.param == RootKind::kComposefs ? "Composefs" : "Checkout";
                         });

// What `release` brings, with a kernel of which nobody knows whether it has EROFS.
TinyImage ReleaseWithoutErofs(const std::string& release) {
  TinyImage image = Release(release);
  image.built_in.clear();
  return image;
}

TEST_F(VerbsTest, TheRootIsWhatTheImageCanHaveWhereNobodyChose) {
  Publish("stable", ReleaseWithoutErofs("1"));
  const DeployReport first = Deploy("stable").value();
  EXPECT_EQ(first.root.kind, RootKind::kCheckout);
  EXPECT_THAT(first.root.reason, HasSubstr("does not say what its kernel"));
  EXPECT_THAT(sysroot.context().log.lines(), Contains(HasSubstr(first.root.reason)));
  Publish("stable", Release("2"));
  const UpgradeReport upgraded = RunUpgrade().value();
  EXPECT_EQ(upgraded.deploy->root.kind, RootKind::kComposefs);
  EXPECT_THAT(upgraded.deploy->root.reason, IsEmpty());
  EXPECT_FALSE(LoadDeployment(sysroot.Open(), 2)->root_chosen);
}

TEST_F(VerbsTest, AnUpgradeRefusesWhatCannotHaveTheComposefsRootThatWasChosen) {
  Publish("stable", Release("1"));
  ASSERT_TRUE(Deploy("stable", {.root = RootKind::kComposefs}).ok());
  Publish("stable", ReleaseWithoutErofs("2"));
  const auto upgraded = RunUpgrade();
  ASSERT_FALSE(upgraded.ok());
  EXPECT_EQ(upgraded.error().code(), Errc::kCorrupt);
  EXPECT_THAT(upgraded.error().message(), HasSubstr("a composefs root was chosen"));
  EXPECT_THAT(Serials(), ElementsAre("1"));
  EXPECT_TRUE(Deploy("stable", {.root = RootKind::kCheckout}).ok());
}

TEST_P(VerbsByRootTest, EveryLaterDeploymentHasTheKindThatWasChosenLast) {
  Publish("stable", Release("1"));
  ASSERT_TRUE(Deploy("stable", {.root = GetParam()}).ok());
  Publish("stable", Release("2"));
  ASSERT_TRUE(RunUpgrade()->changed);
  Device open = device();
  ASSERT_TRUE(DeployWithArguments(open, {"debug"}, 3, ctx()).ok());
  const RootKind other = GetParam() == RootKind::kComposefs ? RootKind::kCheckout : RootKind::kComposefs;
  ASSERT_TRUE(Deploy("stable", {.root = other}).ok());
  std::vector<RootKind> kinds;
  for (const Deployment& deployment : LoadDeployments(sysroot.Open(), ctx()).value())
    kinds.push_back(RootOf(deployment));
  EXPECT_THAT(kinds, ElementsAre(GetParam(), GetParam(), GetParam(), other));
  for (const Deployment& deployment : LoadDeployments(sysroot.Open(), ctx()).value())
    EXPECT_TRUE(deployment.root_chosen) << deployment.serial;
  const auto report = CheckDevice(device(), RepairMode::kReportOnly, {}, ctx());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_THAT(report->problems, IsEmpty());
}

TEST_P(VerbsByRootTest, AFactoryResetKeepsWhatTheImageHasAndRefusesWhatNobodyHas) {
  TinyImage image = Release("1");
  image.more_files.emplace_back("etc/app/settings", "of the image");
  Publish("1", image);
  ASSERT_TRUE(Deploy("1", {.root = GetParam()}).ok());
  EXPECT_TRUE(RequestFactoryReset(device(), {"/etc/hostname", "/etc/app"}, ctx()).ok());
  EXPECT_EQ(RequestFactoryReset(device(), {"/etc/nothing"}, ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(RequestFactoryReset(device(), {"/etc/hostname/below"}, ctx()).error().code(), Errc::kNotFound);
}

TEST_F(VerbsTest, MountRefusesAComposefsRootThatIsDamaged) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounting";
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1", {.root = RootKind::kComposefs}).ok());
  const std::string path = sysroot.DeploymentPath(1) + "/root.cfs";
  std::string bytes = testing::ReadText(path);
  bytes[3000] = static_cast<char>(bytes[3000] ^ 1);
  testing::WriteText(path, bytes);
  const std::string dir = sysroot.dir() / "mnt";
  std::filesystem::create_directory(dir);
  const Status mounted = MountDeployment(device(), 1, dir, ctx());
  ASSERT_FALSE(mounted.ok());
  EXPECT_EQ(mounted.error().code(), Errc::kCorrupt);
  EXPECT_THAT(mounted.error().message(), HasSubstr("root.cfs: the digest is"));
  EXPECT_EQ(UnmountDeployment(dir, ctx()).error().code(), Errc::kNotFound);
}

TEST_P(VerbsByRootTest, MountShowsTheTreeWithItsEtcReadOnlyAndUnmountEndsIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounting";
  Publish("1", Release("1"));
  ASSERT_TRUE(Deploy("1", {.root = GetParam()}).ok());
  const std::string dir = sysroot.dir() / "mnt with space";
  std::filesystem::create_directory(dir);
  EXPECT_EQ(MountDeployment(device(), 2, dir, ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(MountDeployment(device(), 1, dir + "/nothing", ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(UnmountDeployment(dir, ctx()).error().code(), Errc::kNotFound);
  for (const bool booted : {false, true}) {
    if (booted) testing::WriteText(sysroot.DeploymentPath(1) + "/etc/upper/hostname", "mine");
    const Status mounted = MountDeployment(device(), 1, dir, ctx());
    if (!mounted.ok() && booted) GTEST_SKIP() << "no overlay here: " << mounted.error().message();
    ASSERT_TRUE(mounted.ok()) << mounted.error().message();
    EXPECT_EQ(testing::ReadText(dir + "/usr/share/release"), "1");
    EXPECT_EQ(testing::ReadText(dir + "/etc/hostname"), booted ? "mine" : "tiny\n");
    for (const char* name : {"/usr/new", "/etc/new"}) {
      EXPECT_LT(::open((dir + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), 0) << name;
    }
    EXPECT_EQ(MountDeployment(device(), 1, dir, ctx()).error().code(), Errc::kBusy);
    ASSERT_TRUE(UnmountDeployment(dir, ctx()).ok());
    EXPECT_THAT(testing::NamesIn(dir), IsEmpty());
  }
  EXPECT_EQ(UnmountDeployment("/proc", ctx()).error().code(), Errc::kNotFound) << "not ours to unmount";
}

}  // namespace
}  // namespace hostapp

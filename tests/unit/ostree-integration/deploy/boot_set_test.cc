// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/boot_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/deploy/bootable.h"
#include "ostree-integration/deploy/check_tree.h"
#include "ostree-integration/deploy/contents.h"
#include "ostree-integration/deploy/create_deployment.h"
#include "ostree-integration/deploy/kargs.h"
#include "ostree-integration/store/inode.h"
#include "ostree-integration/sysroot/arm_trial.h"
#include "ostree-integration/sysroot/ledger_file.h"
#include "tests/support/call_order.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_image.h"

namespace hostapp {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using testing::FaultySyscalls;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TestSysrootWithStore;
using testing::TinyImage;

ino_t InodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

BootFile FileOf(const std::string& name, std::string_view content) {
  return {.name = name, .path = {}, .size = content.size(), .sha256 = HashOf(AsBytes(content))};
}

TEST(BootSet, HasTheSumsThatSha256sumWritesAndTheirDigestForItsName) {
  BootSet set;
  set.files = {FileOf("initrd", "an initramfs\n"), FileOf("linux", "a kernel\n")};
  // printf 'an initramfs\n' >initrd; printf 'a kernel\n' >linux; sha256sum initrd linux | tee SHA256SUMS; sha256sum
  // SHA256SUMS
  EXPECT_EQ(set.Sums(),
            "c3ceff98ea174fe3e60c65ccb3cbdbfcbe182e2d0b5570f5dcc173cf25110941  initrd\n"
            "0ea0e4d98d963a16e4ae69a302423f7648056205ea740c9559c92725d9544e4d  linux\n");
  EXPECT_EQ(set.digest().Hex(), "6d8a12c5e62b2a6114aacaf89c836eecd0ad3d288bebb796c3fb0b8c95d49362");
}

struct BootSetTest : ::testing::Test {
  BootSetTest() : commit(sysroot.Import({}).value()), store(sysroot.OpenStore()) {
    set = ReadBootSet(store, commit, sysroot.ctx()).value();
  }
  Status Stage() { return Stage(sysroot.ctx()); }
  Status Stage(OpContext& ctx) { return StageBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, ctx); }
  OpContext With(Syscalls& sys) { return {sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys}; }
  std::string SetsPath() const { return sysroot.boot() + "/hostapp"; }
  std::string SetPath() const { return StrCat(SetsPath(), "/", set.digest().Hex()); }

  TestSysrootWithStore sysroot;
  std::string commit;
  ImageStore store;
  BootSet set;
};

TEST_F(BootSetTest, HasKernelAndInitramfsOfTheImage) {
  EXPECT_EQ(set.kernel_version, "6.1.0-tiny");
  ASSERT_THAT(set.files, SizeIs(2));
  EXPECT_EQ(set.files[0].name, "initrd");
  EXPECT_EQ(set.files[0].sha256, HashOf(AsBytes("an initramfs")));
  EXPECT_EQ(set.files[1].name, "linux");
  EXPECT_EQ(set.files[1].path, "usr/lib/modules/6.1.0-tiny/vmlinuz");
  EXPECT_EQ(set.bytes, 8192u + 12);
}

TEST_F(BootSetTest, IsStagedUnderItsDigestAndASecondTimeAsItIs) {
  ASSERT_TRUE(Stage().ok());
  EXPECT_THAT(testing::NamesIn(SetsPath()), ElementsAre(set.digest().Hex()));
  EXPECT_THAT(testing::NamesIn(SetPath()), ElementsAre("SHA256SUMS", "initrd", "linux"));
  EXPECT_EQ(testing::ReadText(SetPath() + "/linux"), testing::TinyKernel());
  EXPECT_EQ(testing::ReadText(SetPath() + "/SHA256SUMS"), set.Sums());
  const auto written = std::filesystem::last_write_time(SetPath() + "/linux");
  ASSERT_TRUE(Stage().ok());
  EXPECT_EQ(std::filesystem::last_write_time(SetPath() + "/linux"), written);
  EXPECT_THAT(ListBootSets(sysroot.Open()).value(), ElementsAre(set.digest()));
  EXPECT_EQ(LargestBootSet(sysroot.Open()).value(), set.bytes + set.Sums().size());
}

TEST_F(BootSetTest, LeavesNoneUnderItsNameThatIsNotWholeAtAnyFailingCall) {
  for (const int error : {EIO, ENOSPC}) {
    for (const auto which : {FaultySyscalls::Which::kOnlyThat, FaultySyscalls::Which::kThatAndAllAfter}) {
      const int calls = testing::ForEveryFailingCall(
          error, which, [&] { std::filesystem::remove_all(SetPath()); },
          [&](Syscalls& sys) {
            OpContext ctx = With(sys);
            return Stage(ctx);
          },
          [&](const FaultySyscalls& sys, const Status& status) {
            EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
            if (HasBootSet(sysroot.Open(), set.digest()).value()) {
              EXPECT_TRUE(CheckBootSet(sysroot.Open(), set.digest()).ok()) << sys.failed_call();
            }
            if (!status.ok() && which == FaultySyscalls::Which::kOnlyThat) {
              EXPECT_THAT(testing::NamesIn(SetsPath()), IsEmpty()) << sys.failed_call();
            }
            if (!status.ok() && error == ENOSPC) {
              EXPECT_EQ(status.error().code(), Errc::kNoSpace) << sys.failed_call();
            }
          });
      EXPECT_GT(calls, 8);
    }
  }
}

TEST_F(BootSetTest, ThatWasInterruptedIsNoneAndIsCompletedWithWhatIsWholeOfIt) {
  testing::WriteText(SetPath() + "/linux", testing::TinyKernel());
  testing::WriteText(SetPath() + "/initrd", "half");
  const ino_t linux = InodeOf(SetPath() + "/linux");
  for (const std::string& list : {std::string(), set.Sums().substr(0, 70), StrCat(set.Sums(), "x")}) {
    testing::WriteText(SetPath() + "/SHA256SUMS", list);
    EXPECT_FALSE(HasBootSet(sysroot.Open(), set.digest()).value()) << list;
    ASSERT_TRUE(Stage().ok()) << list;
    EXPECT_TRUE(HasBootSet(sysroot.Open(), set.digest()).value());
  }
  EXPECT_EQ(InodeOf(SetPath() + "/linux"), linux);
  EXPECT_EQ(testing::ReadText(SetPath() + "/initrd"), "an initramfs");
  EXPECT_THAT(testing::NamesIn(SetsPath()), ElementsAre(set.digest().Hex()));
  EXPECT_THAT(testing::NamesIn(SetPath()), ElementsAre("SHA256SUMS", "initrd", "linux"));
}

TEST_F(BootSetTest, ThatIsCompletedInVainKeepsWhatWasWholeAndIsNoSet) {
  testing::WriteText(SetPath() + "/linux", testing::TinyKernel());
  const int calls = testing::ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kOnlyThat,
      [&] {
        testing::WriteText(SetPath() + "/initrd", "half");
        testing::WriteText(SetPath() + "/SHA256SUMS", set.Sums());
      },
      [&](Syscalls& sys) {
        OpContext ctx = With(sys);
        return CompleteBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, ctx);
      },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        EXPECT_EQ(testing::ReadText(SetPath() + "/linux"), testing::TinyKernel()) << sys.failed_call();
        const bool has_list = std::filesystem::exists(SetPath() + "/SHA256SUMS");
        // Where nothing was done yet it is as damaged as it was.
        const bool began = !std::filesystem::exists(SetPath() + "/initrd") || status.ok();
        EXPECT_EQ(has_list, !began || status.ok()) << sys.failed_call();
      });
  EXPECT_GT(calls, 8);
}

TEST_F(BootSetTest, IsRepairedWhereNothingIsFreeButWhatItTakes) {
  ASSERT_TRUE(Stage().ok());
  testing::WriteText(SetPath() + "/linux", std::string(testing::TinyKernel().size(), 'x'));
  testing::FullDisk sys(5 * 4096, 1000);
  OpContext ctx = With(sys);
  ASSERT_TRUE(CompleteBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, ctx).ok());
  EXPECT_EQ(testing::ReadText(SetPath() + "/linux"), testing::TinyKernel());
}

TEST_F(BootSetTest, ThatIsDamagedIsFound) {
  ASSERT_TRUE(Stage().ok());
  const std::string sums = set.Sums();
  const auto damaged = [&](const std::string& name, const std::string& content) {
    const std::string old = testing::ReadText(SetPath() + "/" + name);
    testing::WriteText(SetPath() + "/" + name, content);
    const Status status = CheckBootSet(sysroot.Open(), set.digest());
    const Status staged = Stage();
    EXPECT_EQ(staged.ok(), status.ok() || name == "SHA256SUMS") << "and it is not used again";
    if (!staged.ok()) {
      EXPECT_THAT(staged.error().message(), HasSubstr("; run: hostapp fsck --repair"));
    }
    testing::WriteText(SetPath() + "/" + name, old);
    return status;
  };
  EXPECT_THAT(damaged("initrd", "An initramfs").error().message(), HasSubstr("initrd has sha256"));
  EXPECT_EQ(damaged("linux", "").error().code(), Errc::kCorrupt);
  EXPECT_THAT(damaged("SHA256SUMS", sums + sums).error().message(), HasSubstr("SHA256SUMS has been changed"));
  EXPECT_TRUE(CheckBootSet(sysroot.Open(), set.digest()).ok());
  std::filesystem::remove(SetPath() + "/initrd");
  EXPECT_EQ(CheckBootSet(sysroot.Open(), set.digest()).error().code(), Errc::kCorrupt);
  EXPECT_THAT(CheckBootSet(sysroot.Open(), set.digest()).error().message(), HasSubstr(": initrd is missing"));
  EXPECT_EQ(CheckBootSet(sysroot.Open(), HashOf({})).error().code(), Errc::kNotFound);
}

// What has the name of a file of the set is found, waited for by nobody, and gives way to the file.
TEST_F(BootSetTest, WithSomethingElseWhereAFileOrFolderIsToBeIsMadeAgain) {
  TinyImage image;
  image.more_files = {{"usr/lib/modules/" + image.kernel_version + "/dtb/vendor/board.dtb", "a board"}};
  commit = sysroot.Import(image).value();
  set = ReadBootSet(store, commit, sysroot.ctx()).value();
  const std::string outside = sysroot.dir() / "outside";
  testing::WriteText(outside, "not ours");
  const auto is_mended = [&](const std::string& what, const std::string& name) {
    const Status found = CheckBootSet(sysroot.Open(), set.digest());
    EXPECT_FALSE(found.ok()) << what << name;
    const Status completed = CompleteBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, sysroot.ctx());
    EXPECT_TRUE(completed.ok()) << what << name << ": " << completed.error().message();
    EXPECT_TRUE(CheckBootSet(sysroot.Open(), set.digest()).ok()) << what << name;
    EXPECT_EQ(testing::ReadText(outside), "not ours");
  };
  for (const std::string name : {"/SHA256SUMS", "/linux", "/dtb/vendor/board.dtb", "/dtb/vendor", "/dtb", ""}) {
    const std::string path = SetPath() + name;
    const auto stage_without = [&] {
      ASSERT_TRUE(Stage().ok()) << name;
      std::filesystem::remove_all(path);
    };
    stage_without();
    ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0);
    is_mended("a FIFO: ", name);
    stage_without();
    testing::WriteText(path, "a file");
    is_mended("a file: ", name);
    stage_without();
    std::filesystem::create_symlink(outside, path);
    is_mended("a link: ", name);
    stage_without();
    std::filesystem::create_directory(path);
    testing::WriteText(path + "/file", "below");
    is_mended("a folder: ", name);
  }
}

TEST_F(BootSetTest, IsRefusedWithBothNumbersWhereThereIsNoRoom) {
  for (const auto& [bytes, inodes] : {std::pair<uint64_t, uint64_t>{5000, 1000}, {1000000, 3}}) {
    testing::FullDisk sys(bytes, inodes);
    OpContext ctx = With(sys);
    const Status status = Stage(ctx);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), Errc::kNoSpace);
    EXPECT_THAT(status.error().message(),
                HasSubstr(StrCat(bytes, " bytes and ", inodes, " inodes free, the boot set needs ")));
    EXPECT_THAT(testing::NamesIn(SetsPath()), IsEmpty());
  }
}

// Whoever finds the list may believe it.
TEST_F(BootSetTest, GetsItsListWhenAllElseIsOnTheDisk) {
  testing::CallOrder sys;
  OpContext ctx = With(sys);
  ASSERT_TRUE(Stage(ctx).ok());
  EXPECT_THAT(sys.calls(), ElementsAre("make initrd", "make linux", "sync all", "make SHA256SUMS", "sync SHA256SUMS",
                                       "sync " + set.digest().Hex()));
}

TEST_F(BootSetTest, IsRemovedWithItsBytesAndASecondTimeToo) {
  ASSERT_TRUE(Stage().ok());
  const auto remove = [&] {
    return RemoveBootSet(sysroot.LockStore(), sysroot.Open(), set.digest(), sysroot.ctx()).value();
  };
  EXPECT_EQ(remove(), set.bytes + set.Sums().size());
  EXPECT_EQ(remove(), 0u);
}

TEST_F(BootSetTest, WhoseRemovalWasCutOffIsNoSetAndIsMadeAgain) {
  ASSERT_TRUE(Stage().ok());
  testing::FaultySyscalls count;
  const auto remove = [&](Syscalls& sys) {
    OpContext ctx = With(sys);
    return RemoveBootSet(sysroot.LockStore(), sysroot.Open(), set.digest(), ctx);
  };
  ASSERT_TRUE(remove(count).ok());
  for (int n = 1; n <= count.calls(); ++n) {
    ASSERT_TRUE(Stage().ok());
    testing::FaultySyscalls sys(n, EIO, testing::FaultySyscalls::Which::kThatAndAllAfter);
    ASSERT_FALSE(remove(sys).ok());
    EXPECT_TRUE(!HasBootSet(sysroot.Open(), set.digest()).value() || CheckBootSet(sysroot.Open(), set.digest()).ok())
        << n;
    EXPECT_TRUE(Stage().ok()) << "cut off at " << sys.failed_call() << ", call " << n;
  }
  EXPECT_GE(count.calls(), 6);
}

// -- what an image must have

Status Read(const TinyImage& image) {
  TestSysrootWithStore sysroot;
  const std::string commit = sysroot.Import(image).value();
  return ReadBootSet(sysroot.OpenStore(), commit, sysroot.ctx()).status();
}

TEST(ReadBootSet, NamesTheRuleThatAnImageBreaks) {
  const std::pair<TinyImage, const char*> kWrong[] = {
      {{.kernel_version = ""}, "the image has no kernel"},
      {{.kernel = "no kernel at all"}, "neither a Linux boot image"},
      {{.more_files = {{"usr/lib/modules/6.2/vmlinuz", testing::TinyKernel()},
                       {"usr/lib/modules/6.2/initramfs.img", "x"}}},
       "2 kernels (6.1.0-tiny, 6.2)"},
      {{.more_files = {{"usr/lib/modules/6.2/vmlinuz", testing::TinyKernel()}}},
       "usr/lib/modules/6.2/initramfs.img is missing"},
      {{.kernel_version = "", .more_files = {{"boot/vmlinuz-6.3", testing::TinyKernel()}}},
       "boot/initrd.img-6.3 is missing"},
      {{.more_files = {{"usr/lib/modules/6.1.0-tiny/dtb/a\nb.dtb", "x"}}}, "the device tree \"a\\x0ab.dtb\""},
      {{.more_files = {{"usr/lib/modules/6.1.0-tiny/dtb/a b.dtb", "x"}}}, "letters, digits"},
  };
  for (const auto& [image, rule] : kWrong) {
    const Status status = Read(image);
    ASSERT_FALSE(status.ok()) << rule;
    EXPECT_EQ(status.error().code(), Errc::kCorrupt) << rule;
    EXPECT_THAT(status.error().message(), HasSubstr(rule));
  }
}

TEST(ReadBootSet, TakesADistributionsOwnLayoutAndDeviceTrees) {
  TestSysrootWithStore sysroot;
  TinyImage image{.kernel_version = "",
                  .more_files = {{"boot/vmlinuz-6.3", testing::TinyKernel()},
                                 {"boot/initrd.img-6.3", "initrd"},
                                 {"usr/lib/modules/6.3/dtb/vendor/board.dtb", "tree"},
                                 {"usr/lib/modules/6.3/dtb/a..b.dtb", "tree"}}};
  const std::string commit = sysroot.Import(image).value();
  const ImageStore store = sysroot.OpenStore();
  const BootSet set = ReadBootSet(store, commit, sysroot.ctx()).value();
  std::vector<std::string> names;
  for (const BootFile& file : set.files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("dtb/a..b.dtb", "dtb/vendor/board.dtb", "initrd", "linux"));
  EXPECT_EQ(set.kernel_version, "6.3");
  ASSERT_TRUE(StageBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, sysroot.ctx()).ok());
}

TEST(KnownBootSet, IsWhatReadingTheFilesGives) {
  TestSysrootWithStore sysroot;
  const std::string commit =
      sysroot.Import({.more_files = {{"usr/lib/modules/6.1.0-tiny/dtb/vendor/board.dtb", "tree"}}}).value();
  const ImageStore store = sysroot.OpenStore();
  const Digest manifest = ListImages(store).value()[0].manifest_digest;
  const ImageTree tree = ImageTree::Load(store, manifest, sysroot.ctx()).value();
  const BootSet known = KnownBootSet(store, commit, tree, sysroot.ctx()).value();
  const BootSet read = ReadBootSet(store, commit, sysroot.ctx()).value();
  EXPECT_EQ(known.Sums(), read.Sums());
  EXPECT_EQ(known.bytes, read.bytes);
  EXPECT_EQ(known.kernel_version, read.kernel_version);
}

TEST(KnownBootSet, OfAFileThatIsDamagedIsNotStaged) {
  TestSysrootWithStore sysroot;
  const std::string commit = sysroot.Import({}).value();
  const ImageStore store = sysroot.OpenStore();
  const Digest manifest = ListImages(store).value()[0].manifest_digest;
  const ImageTree tree = ImageTree::Load(store, manifest, sysroot.ctx()).value();
  const Sha256 object = Below(tree.root(), "usr/lib/modules/6.1.0-tiny/initramfs.img")->inode->object;
  testing::WriteText(StrCat(sysroot.root(), "/ostree/repo/objects/", ObjectPath(object, "file")), "An initramfs");
  const BootSet set = KnownBootSet(store, commit, tree, sysroot.ctx()).value();
  const Status status = StageBootSet(sysroot.LockStore(), sysroot.Open(), store, commit, set, sysroot.ctx());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kCorrupt);
  EXPECT_THAT(status.error().message(), HasSubstr("initrd has sha256"));
  EXPECT_THAT(testing::NamesIn(sysroot.boot() + "/hostapp"), IsEmpty());
}

TEST(CheckBootable, WantsAnInit) {
  TestSysrootWithStore sysroot;
  EXPECT_TRUE(CheckBootable(sysroot.OpenStore(), sysroot.Import({}).value()).ok());
  const std::string without = sysroot.Import({.has_init = false}).value();
  EXPECT_EQ(CheckBootable(sysroot.OpenStore(), without).error().code(), Errc::kCorrupt);
  const std::string systemd =
      sysroot.Import({.has_init = false, .more_files = {{"usr/lib/systemd/systemd", "elf"}}}).value();
  EXPECT_TRUE(CheckBootable(sysroot.OpenStore(), systemd).ok());
}

TEST(ImageKernelArguments, ComeFromBothFoldersForThisMachine) {
  TestSysrootWithStore sysroot;
  const TinyImage image{
      .more_files = {{"usr/lib/hostapp/kargs.d/20.toml", "kargs = [\"b\", \"c=1\"]"},
                     {"usr/lib/hostapp/kargs.d/10.toml", "kargs = [\"a\"]"},
                     {"usr/lib/hostapp/kargs.d/30.toml", "kargs = [\"other\"]\nmatch-architectures = [\"s390x\"]"},
                     {"usr/lib/hostapp/kargs.d/README", "kargs = [\"text\"]"}}};
  const std::string commit = sysroot.Import(image).value();
  EXPECT_THAT(ImageKernelArguments(sysroot.OpenStore(), commit).value(), ElementsAre("quiet", "a", "b", "c=1"));
}

TEST(ImageKernelArguments, AreCorruptWithFileAndRule) {
  for (const auto& [toml, rule] : {std::pair{"kargs = \"quiet\"", "kargs"},
                                   {"kargs = [\"hostapp.deployment=1\"]", "which the boot ledger decides"},
                                   {"kargs = [", "10.toml"}}) {
    TestSysrootWithStore sysroot;
    const std::string commit = sysroot.Import({.more_files = {{"usr/lib/hostapp/kargs.d/10.toml", toml}}}).value();
    const auto arguments = ImageKernelArguments(sysroot.OpenStore(), commit);
    ASSERT_FALSE(arguments.ok()) << toml;
    EXPECT_EQ(arguments.error().code(), Errc::kCorrupt);
    EXPECT_THAT(arguments.error().message(), HasSubstr(rule));
    EXPECT_THAT(arguments.error().message(), HasSubstr("usr/lib/hostapp/kargs.d/10.toml"));
  }
}

// -- from image to deployment, and its tree afterwards

struct CreatedTest : BootSetTest {
  Result<Deployment> Create(OpContext& ctx, RootKind root = RootKind::kCheckout) {
    const NewDeployment wanted{.reference = "oci:/images:stable",
                               .manifest_digest = ListImages(store).value().front().manifest_digest,
                               .commit = commit,
                               .version = "1",
                               .image_arguments = {"quiet"},
                               .boot_set = set,
                               .root = root};
    ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, wanted.manifest_digest, ctx));
    return CreateDeployment(sysroot.LockStore(), sysroot.Open(), store, tree, wanted, ctx);
  }
  std::string RootFile() { return sysroot.DeploymentPath(1) + "/root.cfs"; }
  // "path: what".
  static std::vector<std::string> Texts(const std::vector<TreeProblem>& problems) {
    std::vector<std::string> out;
    for (const TreeProblem& problem : problems) out.push_back(StrCat(problem.path, ": ", problem.what));
    return out;
  }
  std::vector<TreeProblem> Check(const Deployment& deployment, TreeRepair repair) {
    return CheckTree(sysroot.Open(), store, deployment, repair, sysroot.ctx()).value();
  }
};

struct CreatedByKindTest : CreatedTest, ::testing::WithParamInterface<RootKind> {};
INSTANTIATE_TEST_SUITE_P(Roots, CreatedByKindTest, ::testing::Values(RootKind::kComposefs, RootKind::kCheckout),
                         [](const auto& kind) {
                           return kind.param == RootKind::kComposefs ? "Composefs" : "Checkout";
                         });

TEST_P(CreatedByKindTest, IsWholeOrNoDeploymentAtEveryFailingCall) {
  const int calls = testing::ForEveryFailingCall(
      ENOSPC, FaultySyscalls::Which::kOnlyThat,
      [&] {
        std::filesystem::remove_all(sysroot.DeploymentPath(1));
        std::filesystem::remove_all(SetPath());
      },
      [&](Syscalls& sys) {
        OpContext ctx = With(sys);
        return Create(ctx, GetParam()).status();
      },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        EXPECT_EQ(IsComplete(sysroot.Open(), 1), status.ok()) << sys.failed_call();
      });
  EXPECT_GT(calls, GetParam() == RootKind::kComposefs ? 9 : 12);
  EXPECT_TRUE(CheckBootSet(sysroot.Open(), LoadDeployment(sysroot.Open(), 1)->boot_set).ok());
  EXPECT_FALSE(std::filesystem::exists(sysroot.DeploymentPath(1) + "/etc"))
      << "the helper takes an etc/upper that is there for a complete copy";
}

TEST_F(CreatedTest, TreeIsTheImagesAndDamageIsFoundAndMended) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  EXPECT_EQ(testing::ReadText(root + "usr/share/release"), "1");
  EXPECT_EQ(testing::ReadText(root + "usr/etc/hostname"), "tiny\n");
  EXPECT_THAT(Check(deployment, TreeRepair::kNo), IsEmpty());

  std::filesystem::remove(root + "usr/share/release");
  std::filesystem::remove(root + "usr/bin/tool");
  testing::WriteText(root + "usr/bin/tool", "#!/bin/sh\nexit 1\n");
  std::filesystem::permissions(root + "usr/bin/tool", std::filesystem::perms(0755));
  std::filesystem::remove(root + "bin");
  std::filesystem::create_symlink("usr/sbin", root + "bin");
  testing::WriteText(root + "usr/share/.hostapp-repair", "of an interrupted repair");
  std::vector<std::string> paths;
  for (const TreeProblem& problem : Check(deployment, TreeRepair::kNo)) {
    paths.push_back(problem.path);
    EXPECT_FALSE(problem.repaired) << problem.path;
  }
  EXPECT_THAT(paths, ElementsAre("bin", "usr/bin/tool", "usr/share/release", "usr/share/.hostapp-repair"));
  for (const TreeProblem& problem : Check(deployment, TreeRepair::kYes)) EXPECT_TRUE(problem.repaired) << problem.path;
  EXPECT_THAT(Check(deployment, TreeRepair::kNo), IsEmpty());
  EXPECT_EQ(testing::ReadText(root + "usr/bin/tool"), "#!/bin/sh\nexit 0\n");

  testing::WriteText(root + "usr/stranger", "");
  std::filesystem::remove_all(root + "usr/share");
  paths.clear();
  for (const TreeProblem& problem : Check(deployment, TreeRepair::kYes)) paths.push_back(problem.path);
  EXPECT_THAT(paths, ElementsAre("usr/share", "usr/stranger"));
}

// As after the store's object was damaged through its link and imported again: the deployment has the old inode.
TEST_F(CreatedTest, AFileOfItsOwnIsACopyOnlyWithTheOwnerAndAttributesOfTheObject) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  const auto detach = [&](const std::string& name) {
    const std::string path = root + name;
    std::filesystem::copy(path, path + "~", std::filesystem::copy_options::copy_symlinks);
    std::filesystem::rename(path + "~", path);
    return path;
  };
  for (const char* name : {"usr/bin/tool", "usr/share/release", "usr/etc/hostname", "bin"}) detach(name);
  EXPECT_THAT(Check(deployment, TreeRepair::kNo), IsEmpty()) << "copies";

  ASSERT_EQ(::chown((root + "usr/bin/tool").c_str(), 4711, 0), 0);
  std::filesystem::permissions(root + "usr/bin/tool", std::filesystem::perms(0755));
  ASSERT_EQ(::setxattr((root + "usr/share/release").c_str(), "user.bad", "x", 1, 0), 0);
  ASSERT_EQ(::lchown((root + "bin").c_str(), 0, 4711), 0);
  const auto all = ElementsAre("bin: its owner is not the image's", "usr/bin/tool: its owner is not the image's",
                               "usr/share/release: its extended attributes are not the image's");
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), all);
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kYes)), all);
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), IsEmpty());
  EXPECT_LT(::getxattr((root + "usr/share/release").c_str(), "user.bad", nullptr, 0), 0);
}

// The root folder, too.
TEST_F(CreatedTest, AFoldersModeOwnerAndAttributesAreTheImagesAndMended) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  std::filesystem::permissions(root, std::filesystem::perms(0777));
  ASSERT_EQ(::chown((root + "usr").c_str(), 0, 4711), 0);
  ASSERT_EQ(::setxattr((root + "usr/share").c_str(), "user.bad", "x", 1, 0), 0);
  const auto all = ElementsAre("/: its mode is not the image's", "usr: its owner is not the image's",
                               "usr/share: its extended attributes are not the image's");
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), all);
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kYes)), all);
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), IsEmpty());
  struct stat info {};
  ASSERT_EQ(::stat(root.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755U);
  EXPECT_LT(::getxattr((root + "usr/share").c_str(), "user.bad", nullptr, 0), 0);
}

TEST_F(CreatedTest, AFolderInPlaceOfAFileOrLinkIsMended) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  for (const char* name : {"bin", "usr/bin/tool"}) {
    std::filesystem::remove(root + name);
    testing::WriteText(root + name + "/deep/file", "x");
  }
  testing::WriteText(root + "usr/bin/.hostapp-repair/file", "x");
  for (const TreeProblem& problem : Check(deployment, TreeRepair::kYes)) EXPECT_TRUE(problem.repaired) << problem.what;
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), IsEmpty());
  EXPECT_EQ(testing::ReadText(root + "usr/bin/tool"), "#!/bin/sh\nexit 0\n");
  EXPECT_TRUE(std::filesystem::is_symlink(root + "bin"));
}

// As a file system whose every object has all the names that it may have.
class NoLinks : public Syscalls {
 public:
  int LinkAt(int, const char*, int, const char*, int) override { return -EMLINK; }
};

TEST_F(CreatedTest, AnObjectThatHasAllItsNamesIsCopied) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string root = sysroot.DeploymentPath(1) + "/root/";
  std::filesystem::remove(root + "bin");
  std::filesystem::remove(root + "usr/bin/tool");
  NoLinks no_links;
  OpContext ctx = With(no_links);
  EXPECT_THAT(Texts(CheckTree(sysroot.Open(), store, deployment, TreeRepair::kYes, ctx).value()),
              ElementsAre("bin: missing", "usr/bin/tool: missing"));
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), IsEmpty());
  EXPECT_EQ(std::filesystem::hard_link_count(root + "usr/bin/tool"), 1U);
  EXPECT_EQ(testing::ReadText(root + "usr/bin/tool"), "#!/bin/sh\nexit 0\n");
}

TEST_F(CreatedTest, EachFailingCallOfARepairLeavesTheDamageOrTheImagesFile) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string tool = sysroot.DeploymentPath(1) + "/root/usr/bin/tool";
  testing::ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kThatAndAllAfter,
      [&] {
        std::filesystem::remove(tool);
        testing::WriteText(tool, "damaged");
      },
      [&](Syscalls& sys) {
        OpContext ctx = With(sys);
        return CheckTree(sysroot.Open(), store, deployment, TreeRepair::kYes, ctx).status();
      },
      [&](const FaultySyscalls& sys, const Status&) {
        EXPECT_THAT(testing::ReadText(tool), AnyOf("damaged", "#!/bin/sh\nexit 0\n")) << sys.failed_call();
      });
  EXPECT_THAT(Texts(Check(deployment, TreeRepair::kNo)), IsEmpty());
}

TEST_F(CreatedTest, OneObjectThatIsGoneHidesNoOtherDamageOfItsFolder) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string object = ListTree(store, commit, "usr/share").value()[0].checksum;
  std::filesystem::remove(
      StrCat(sysroot.root(), "/ostree/repo/objects/", object.substr(0, 2), "/", object.substr(2), ".file"));
  testing::WriteText(sysroot.DeploymentPath(1) + "/root/usr/share/stranger", "");
  const Result<std::vector<TreeProblem>> found =
      CheckTree(sysroot.Open(), store, deployment, TreeRepair::kYes, sysroot.ctx());
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->at(0).path, "usr/share/stranger");
}

TEST_F(CreatedTest, ComposefsRootIsOneFileOfTheDigestThatLedgerAndRecordHave) {
  const Deployment deployment = Create(sysroot.ctx(), RootKind::kComposefs).value();
  EXPECT_FALSE(std::filesystem::exists(sysroot.DeploymentPath(1) + "/root"));
  ASSERT_TRUE(deployment.composefs);
  composefs::FsVerityHasher hasher;
  hasher.Update(AsBytes(testing::ReadText(RootFile())));
  EXPECT_EQ(deployment.composefs->Hex(), HexEncode(hasher.Finish()));
  EXPECT_EQ(LoadDeployment(sysroot.Open(), 1)->composefs, deployment.composefs);
  const bootsel::NamedDeployment named = Name(deployment);
  EXPECT_TRUE(named.has_composefs_digest);
  EXPECT_EQ(named.composefs, LedgerDigest(*deployment.composefs));
  EXPECT_THAT(Check(deployment, TreeRepair::kNo), IsEmpty());
}

TEST_F(CreatedTest, ContentsAreOfTheTreeAndWrittenAgainWhereTheyAreNot) {
  const Deployment deployment = Create(sysroot.ctx()).value();
  const std::string path = sysroot.DeploymentPath(1) + "/contents";
  const std::string whole = testing::ReadText(path);
  const auto check = [&](TreeRepair repair) {
    return CheckContents(sysroot.Open(), store, deployment, repair, sysroot.ctx()).value();
  };
  EXPECT_FALSE(check(TreeRepair::kNo));
  EXPECT_GT(MeasureDeployments(sysroot.Open(), {&deployment, 1}, sysroot.ctx()).at(0)->total, 0U);
  for (const std::string& damaged : {std::string(), whole + "x", "X" + whole.substr(1)}) {
    testing::WriteText(path, damaged);
    ASSERT_TRUE(check(TreeRepair::kNo));
    EXPECT_FALSE(check(TreeRepair::kNo)->repaired);
    EXPECT_TRUE(check(TreeRepair::kYes)->repaired);
    EXPECT_TRUE(testing::ReadText(path) == whole);
  }
}

TEST_F(CreatedTest, ComposefsRootThatIsDamagedOrGoneIsFoundAndMended) {
  const Deployment deployment = Create(sysroot.ctx(), RootKind::kComposefs).value();
  const std::string whole = testing::ReadText(RootFile());
  std::string flipped = whole;
  flipped[2000] = static_cast<char>(flipped[2000] ^ 1);
  for (const std::string& damaged : {flipped, whole.substr(0, 5000), whole + "x", std::string()}) {
    testing::WriteText(RootFile(), damaged);
    testing::WriteText(RootFile() + ".new", "of an interrupted repair");
    const std::vector<TreeProblem> found = Check(deployment, TreeRepair::kNo);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].path, "root.cfs");
    EXPECT_THAT(found[0].what, HasSubstr(deployment.composefs->Hex()));
    EXPECT_FALSE(found[0].repaired);
    const std::vector<TreeProblem> mended = Check(deployment, TreeRepair::kYes);
    ASSERT_EQ(mended.size(), 1U);
    EXPECT_TRUE(mended[0].repaired) << mended[0].what;
    EXPECT_TRUE(testing::ReadText(RootFile()) == whole);
    EXPECT_FALSE(std::filesystem::exists(RootFile() + ".new"));
  }
  std::filesystem::remove(RootFile());
  EXPECT_EQ(Check(deployment, TreeRepair::kYes).at(0).what, "missing");
  EXPECT_THAT(Check(deployment, TreeRepair::kNo), IsEmpty());
}

TEST_F(CreatedTest, ComposefsRootThatTheStoreCannotGiveAgainStaysAsItIs) {
  Deployment deployment = Create(sysroot.ctx(), RootKind::kComposefs).value();
  const std::string whole = testing::ReadText(RootFile());
  deployment.composefs = HashOf(AsBytes("another"));
  const std::vector<TreeProblem> problems = Check(deployment, TreeRepair::kYes);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_FALSE(problems[0].repaired);
  EXPECT_THAT(problems[0].what, HasSubstr("deploy the image again"));
  EXPECT_TRUE(testing::ReadText(RootFile()) == whole);
  EXPECT_FALSE(std::filesystem::exists(RootFile() + ".new"));
}

}  // namespace
}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/merge.h"

#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeImage;
using testing::StoreTest;
using testing::TarBytes;
using testing::TestImage;
using MergeImageTest = StoreTest;

std::string HostLayer() {
  return TarBytes()
      .Dir("usr/")
      .File("usr/bin/init", "init")
      .Dir("etc/")
      .File("etc/hostname", "device\n")
      .File("var/lib/x", "state")
      .Symlink("home", "var/home")
      .File("run/lock/a", "x")
      .End();
}

std::vector<std::string> Names(const ImageStore& store, const std::string& commit, const std::string& path) {
  const auto entries = ListTree(store, commit, path);
  EXPECT_TRUE(entries.ok());
  std::vector<std::string> out;
  for (const TreeEntry& entry : *entries) out.push_back(entry.name);
  return out;
}

TEST_F(MergeImageTest, MakesAHostTree) {
  const TestImage image = MakeImage({HostLayer()});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  EXPECT_THAT(Names(store(), *commit, ""), ElementsAre("boot", "dev", "etc", "home", "media", "mnt", "opt", "proc",
                                                       "root", "run", "srv", "sys", "sysroot", "tmp", "usr", "var"));
  EXPECT_THAT(Names(store(), *commit, "etc"), ElementsAre());
  EXPECT_THAT(Names(store(), *commit, "usr"), ElementsAre("bin", "etc", "local"));
  EXPECT_THAT(Names(store(), *commit, "usr/etc"), ElementsAre("hostname"));
  EXPECT_THAT(Names(store(), *commit, "run"), ElementsAre());
  EXPECT_THAT(Names(store(), *commit, "var/lib"), ElementsAre("x"));
  std::map<std::string, TreeEntry> root;
  for (const TreeEntry& entry : ListTree(store(), *commit, "").value()) root.emplace(entry.name, entry);
  EXPECT_EQ(root.at("tmp").mode, 01777U);
  EXPECT_EQ(root.at("root").mode, 0700U);
  EXPECT_EQ(root.at("home").link_target, "var/home");
  ExpectOstreeFsckClean();
}

TEST_F(MergeImageTest, ReportsWhatTheDeviceHadOfAnImage) {
  ASSERT_OK(Import(MakeImage({HostLayer()})));
  const TestImage image =
      MakeImage({HostLayer(), TarBytes().File("usr/x", "new").File("run/y", "z").End(), HostLayer()});
  auto report = Import(image);
  ASSERT_OK(report);
  EXPECT_EQ(report->layers_reused, 1U);
  EXPECT_EQ(report->reused_bytes, 0U);
  EXPECT_EQ(report->dropped_count, 1U);  // run/y
  ASSERT_OK(MergeImage(store(), image.manifest, image.config, ctx(), &*report));
  EXPECT_EQ(report->reused_bytes, std::string("initdevice\nstatex").size());  // once
  std::vector<std::string> dropped;
  for (const DroppedPath& path : report->dropped) dropped.push_back(path.path);
  EXPECT_THAT(dropped, ElementsAre("run/y", "run/lock", "run/lock/a"));
}

TEST_F(MergeImageTest, IsAPureFunctionOfTheImage) {
  const TestImage image = MakeImage({HostLayer(), TarBytes().File("usr/x", "y").End()});
  const auto first = Pull(image);
  ASSERT_OK(first);
  testing::TempDir other_dir(Base());
  auto other = ImageStore::Create(other_dir.fd(), ctx());
  ASSERT_OK(other);
  context_.clock.Sleep(std::chrono::hours(100));
  ASSERT_OK(ImportImage(*other, image.manifest, image.config, *image.source, ctx()));
  EXPECT_EQ(MergeImage(*other, image.manifest, image.config, ctx()).value(), *first);
  EXPECT_EQ(MergeImage(store(), image.manifest, image.config, ctx()).value(), *first);
}

TEST_F(MergeImageTest, PullingAgainWritesDamagedRefsAgain) {
  const TestImage image = MakeImage({HostLayer(), TarBytes().File("usr/x", "x").End()});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  const std::string before = Snapshot();
  const std::string image_ref = Repo() + "/refs/heads/hostapp/image/" + image.manifest.digest.Hex();
  const std::string layer_ref = Repo() + "/refs/heads/hostapp/layer/" + image.config.diff_ids[1].Hex();
  for (const std::string damage : {"truncate -s 0 ", "rm -r $0; mkdir -p $0/below; true "}) {
    for (const std::string& ref : {image_ref, layer_ref}) {
      ASSERT_EQ(Run("sh -c '" + damage + "$0' " + ref).first, 0);
    }
    EXPECT_FALSE(IsMerged(store(), image.manifest.digest).value());
    const auto plan = PlanImport(store(), image.manifest, image.config);
    ASSERT_OK(plan);
    EXPECT_EQ(plan->missing.size(), 1U) << damage;
    EXPECT_EQ(Pull(image).value(), *commit) << damage;
    EXPECT_EQ(Snapshot(), before) << damage;
  }
}

TEST_F(MergeImageTest, KeepsManifestAndConfigForLater) {
  const TestImage image = MakeImage({HostLayer()}, {.version = "7.1"});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  const auto info = FindImage(store(), image.manifest.digest);
  ASSERT_OK(info);
  ASSERT_TRUE(info->has_value());
  EXPECT_EQ((*info)->commit, *commit);
  EXPECT_EQ((*info)->version, "7.1");
  EXPECT_EQ((*info)->created, 1767323045);
  EXPECT_EQ((*info)->diff_ids, image.config.diff_ids);
  const auto stored = LoadImage(store(), image.manifest.digest);
  ASSERT_OK(stored);
  EXPECT_EQ(stored->manifest.document.bytes, image.manifest.document.bytes);
  EXPECT_EQ(stored->config.bytes, image.config.bytes);
  EXPECT_EQ(ListImages(store()).value().size(), 1U);
  EXPECT_THAT(Run("ostree --repo=" + Repo() + " log hostapp/image/" + image.manifest.digest.Hex()).second,
              HasSubstr("Version: 7.1"));
}

TEST_F(MergeImageTest, ANeverSeenImageIsNotFound) {
  EXPECT_FALSE(FindImage(store(), Digest::Of(AsBytes("x"))).value().has_value());
  EXPECT_EQ(LoadImage(store(), Digest::Of(AsBytes("x"))).error().code(), Errc::kNotFound);
  const TestImage image = MakeImage({HostLayer()});
  EXPECT_EQ(MergeImage(store(), image.manifest, image.config, ctx()).error().code(), Errc::kNotFound);
}

TEST_F(MergeImageTest, ReadsFilesOfACommitWithoutFollowingLinks) {
  const TestImage image = MakeImage({HostLayer()});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  const auto file = OpenFile(store(), *commit, "usr/etc/hostname");
  ASSERT_OK(file);
  char text[16];
  EXPECT_EQ(std::string(text, static_cast<size_t>(::read(file->get(), text, sizeof text))), "device\n");
  EXPECT_EQ(OpenFile(store(), *commit, "home").error().code(), Errc::kNotFound);
  EXPECT_EQ(OpenFile(store(), *commit, "home/x").error().code(), Errc::kNotFound);
  EXPECT_EQ(OpenFile(store(), *commit, "usr").error().code(), Errc::kNotFound);
  EXPECT_EQ(OpenFile(store(), *commit, "usr/../usr/etc/hostname").error().code(), Errc::kNotFound);
  EXPECT_EQ(ListTree(store(), *commit, "home").error().code(), Errc::kNotFound);
}

TEST_F(MergeImageTest, ChecksOutWithHardLinksOnce) {
  const TestImage image = MakeImage({HostLayer()});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  ASSERT_OK(Checkout(store(), *commit, dir_.fd(), "root", ctx()));
  EXPECT_EQ(Run("cat " + (dir_ / "root/usr/etc/hostname")).second, "device\n");
  EXPECT_EQ(Run("stat -c %h " + (dir_ / "root/usr/bin/init")).second, "2\n");
  EXPECT_EQ(Run("readlink " + (dir_ / "root/home")).second, "var/home\n");
  const Status again = Checkout(store(), *commit, dir_.fd(), "root", ctx());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), Errc::kBusy);
}

// As a file system whose every object has all the names that it may have.
class NoLinks : public Syscalls {
 public:
  int LinkAt(int, const char*, int, const char*, int) override { return -EMLINK; }
};

TEST_F(MergeImageTest, ChecksOutACopyOfAnObjectThatHasAllItsNames) {
  const TestImage image =
      MakeImage({TarBytes()
                     .Dir("usr/")
                     .Dir("usr/lib/", {.mode = "0003750", .uid = "0234200"})
                     .Pax({{"SCHILY.xattr.user.note", "kept"}})
                     .File("usr/lib/tool", std::string(300000, 'x'), {.mode = "0004711", .uid = "0234200"})
                     .Dir("etc/")
                     .Symlink("usr/link", "lib/tool")
                     .End()});
  const auto commit = Pull(image);
  ASSERT_OK(commit);
  ASSERT_OK(Checkout(store(), *commit, dir_.fd(), "linked", ctx()));
  NoLinks sys;
  OpContext no_links{
      .clock = ctx().clock, .log = ctx().log, .progress = ctx().progress, .cancel = ctx().cancel, .sys = sys};
  ASSERT_OK(Checkout(store(), *commit, dir_.fd(), "copied", no_links));
  EXPECT_EQ(Run("diff -r --no-dereference " + (dir_ / "linked") + " " + (dir_ / "copied")).second, "");
  const auto listing = [&](const std::string& name) {
    return Run("cd " + (dir_ / name) + " && find . -printf '%p %y %m %U %G %T@ %l\\n' | sort && getfattr -d -m - -R .")
        .second;
  };
  EXPECT_EQ(listing("linked"), listing("copied"));
  EXPECT_THAT(listing("copied"), HasSubstr("./usr/lib d 3750 80000 0 0.0000000000"));
  EXPECT_THAT(listing("copied"), HasSubstr("./usr/lib/tool f 4711 80000"));
  EXPECT_THAT(listing("copied"), HasSubstr("user.note=\"kept\""));
  EXPECT_EQ(Run("stat -c %h " + (dir_ / "copied/usr/lib/tool")).second, "1\n");
}

TEST_F(MergeImageTest, RefusesWhatIsNoHostImage) {
  struct Case {
    std::string tar;
    const char* message;
  };
  const Case cases[] = {
      {TarBytes().Symlink("etc", "usr/etc").Dir("usr/").End(), "/etc must be a folder"},
      {TarBytes().File("usr", "x").End(), "/usr must be a folder"},
      {TarBytes().Symlink("var", "/tmp").End(), "/var must be a folder"},
      {TarBytes().Symlink("sysroot", ".").End(), "/sysroot must be a folder"},
      {TarBytes().Symlink("ostree", "/etc").End(), "/ostree must be a folder"},
      {TarBytes().Symlink("boot", "usr/boot").End(), "/boot must be a folder"},
      {TarBytes().Symlink("dev", "/").End(), "/dev must be a folder"},
      {TarBytes().File("etc/a", "1").File("usr/etc/a", "2").End(), "/etc and /usr/etc both have content"},
      {TarBytes().File("etc/a", "1").Symlink("usr/etc", "../etc").End(), "/usr/etc must be a folder"},
      {TarBytes().File("etc/a", "1").End(), "/usr is missing"},
  };
  for (const Case& test : cases) {
    const auto commit = Pull(MakeImage({test.tar}));
    ASSERT_FALSE(commit.ok()) << test.message;
    EXPECT_EQ(commit.error().code(), Errc::kCorrupt);
    EXPECT_THAT(commit.error().message(), HasSubstr(test.message));
  }
}

// OSTree reads no tree object of more than 10 MiB: `gc` and `fsck` would end at it.
TEST_F(MergeImageTest, RefusesAFolderWithMoreNamesThanATreeObjectHolds) {
  const auto layer_of = [](uint64_t first, uint64_t count) {
    TarBytes tar;
    for (uint64_t i = first; i < first + count; ++i) {
      tar.File(StrCat("d/", std::string(92, 'n'), testing::Octal(i, 6)), "");
    }
    return tar.End();
  };
  constexpr uint64_t kHalf = 40'000;  // entries of 98 bytes' name, 32 of checksum and 6 of framing
  const testing::ImageOptions options{.compression = Compression::kZstd};
  const TestImage one = MakeImage({layer_of(0, 2 * kHalf)}, options);
  const auto imported = Import(one);
  ASSERT_FALSE(imported.ok());
  EXPECT_EQ(imported.error().code(), Errc::kCorrupt);
  EXPECT_THAT(imported.error().message(), HasSubstr("the folder /layer/d: it has more than the store's format holds"));
  EXPECT_TRUE(ListLayers(store()).value().empty());

  const TestImage two = MakeImage({layer_of(0, kHalf), layer_of(kHalf, kHalf)}, options);
  ASSERT_OK(Import(two));
  const auto merged = MergeImage(store(), two.manifest, two.config, ctx());
  ASSERT_FALSE(merged.ok());
  EXPECT_EQ(merged.error().code(), Errc::kCorrupt);
  EXPECT_THAT(merged.error().message(), HasSubstr("the folder /d: it has more than the store's format holds"));
  EXPECT_TRUE(ListImages(store()).value().empty());
  ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx()));
}

TEST_F(MergeImageTest, AcceptsTheLinkThatBootcImagesHaveAndAnEmptyEtcBesideUsrEtc) {
  ASSERT_OK(Pull(MakeImage({TarBytes().Dir("usr/").Symlink("ostree", "sysroot/ostree").End()})));
  const auto commit = Pull(MakeImage({TarBytes().Dir("etc/").File("usr/etc/a", "1").End()}));
  ASSERT_OK(commit);
  EXPECT_THAT(Names(store(), *commit, "usr/etc"), ElementsAre("a"));
}

}  // namespace
}  // namespace hostapp

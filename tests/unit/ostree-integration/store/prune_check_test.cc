// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeImage;
using testing::StoreTest;
using testing::TarBytes;
using testing::TestImage;

class PruneTest : public StoreTest {
 protected:
  const TestImage old_ = MakeImage(
      {TarBytes().Dir("usr/").File("usr/shared", "shared").End(), TarBytes().File("usr/old", "old content").End()});
  const TestImage new_ = MakeImage(
      {TarBytes().Dir("usr/").File("usr/shared", "shared").End(), TarBytes().File("usr/new", "new content").End()});
};

TEST_F(PruneTest, RemovesWhatOnlyTheOtherImageNeeds) {
  ASSERT_OK(Pull(old_));
  const std::string before = Snapshot();
  ASSERT_OK(Pull(new_));
  const auto report = Prune(store(), {old_.manifest.digest}, PruneMode::kRemove, ctx());
  ASSERT_OK(report);
  EXPECT_THAT(report->refs, ElementsAre("hostapp/image/" + new_.manifest.digest.Hex(),
                                        "hostapp/layer/" + new_.config.diff_ids[1].Hex()));
  EXPECT_EQ(Snapshot(), before);
  EXPECT_TRUE(FindImage(store(), old_.manifest.digest).value().has_value());
  EXPECT_FALSE(FindImage(store(), new_.manifest.digest).value().has_value());
  ExpectOstreeFsckClean();
}

TEST_F(PruneTest, KeepsWhatAnUnfinishedImportHasAlready) {
  ASSERT_OK(Import(new_));  // not merged
  const Digest begun = Digest::Of(AsBytes("begun"));
  ASSERT_EQ(Run("cd " + (dir_ / "hostapp/tmp") + " && printf 12345 > " + SpoolName(begun)).first, 0);
  const std::string before = Snapshot();
  ASSERT_EQ(Run("printf 123 > " + (dir_ / "hostapp/tmp/sha256-x.part")).first, 0);
  const UnfinishedImport unfinished{.layers = {new_.config.diff_ids.begin(), new_.config.diff_ids.end()},
                                    .blobs = {begun}};
  for (const PruneMode mode : {PruneMode::kDryRun, PruneMode::kRemove}) {
    const auto report = Prune(store(), {new_.manifest.digest}, unfinished, mode, ctx());
    ASSERT_OK(report);
    EXPECT_THAT(report->refs, ::testing::IsEmpty());
    EXPECT_EQ(report->objects, 0U);
    EXPECT_EQ(report->leftover_bytes, 3U);
  }
  EXPECT_EQ(Snapshot(), before);
  ASSERT_OK(Prune(store(), {}, {.layers = {new_.config.diff_ids[0]}}, PruneMode::kRemove, ctx()));
  EXPECT_TRUE(FindLayer(store(), new_.config.diff_ids[0]).value().has_value());
  EXPECT_FALSE(FindLayer(store(), new_.config.diff_ids[1]).value().has_value());
}

TEST_F(PruneTest, ADryRunCountsTheSameAndChangesNothing) {
  ASSERT_OK(Pull(old_));
  ASSERT_EQ(Run("printf 12345 > " + (dir_ / "hostapp/tmp/sha256-x.part")).first, 0);
  const std::string before = Snapshot();
  const auto dry = Prune(store(), {}, PruneMode::kDryRun, ctx());
  ASSERT_OK(dry);
  EXPECT_EQ(Snapshot(), before);
  const std::string objects = "find " + Repo() + "/objects -type f -o -type l ";
  const std::string count = Run(objects + "| wc -l").second;
  const std::string bytes =
      Run("find " + Repo() + "/objects \\( -type f -o -type l \\) -printf '%s\\n' | awk '{s+=$1} END {print s}'")
          .second;
  const auto real = Prune(store(), {}, PruneMode::kRemove, ctx());
  ASSERT_OK(real);
  EXPECT_EQ(StrCat(real->objects, "\n"), count);
  EXPECT_EQ(StrCat(real->object_bytes, "\n"), bytes);
  EXPECT_EQ(dry->objects, real->objects);
  EXPECT_EQ(dry->object_bytes, real->object_bytes);
  EXPECT_EQ(dry->refs, real->refs);
  EXPECT_EQ(dry->leftovers, real->leftovers);
  EXPECT_EQ(dry->leftover_bytes, 5U);
  EXPECT_EQ(Run(objects).second, "");
}

TEST_F(PruneTest, KeepsWhatOtherPeoplesRefsNeed) {
  ASSERT_OK(Pull(old_));
  const std::string layer = "hostapp/layer/" + old_.config.diff_ids[1].Hex();
  ASSERT_EQ(Run("ostree --repo=" + Repo() + " refs --create=somebody/else " + layer).first, 0);
  ASSERT_OK(Prune(store(), {}, PruneMode::kRemove, ctx()));
  EXPECT_THAT(Run("ostree --repo=" + Repo() + " ls somebody/else /layer/usr/old").second, HasSubstr("/layer/usr/old"));
  ExpectOstreeFsckClean();
}

// What a power cut leaves of a file that was not synced: to GLib no bytes are an empty folder.
TEST_F(PruneTest, TakesAnEmptiedTreeForNoEmptyFolder) {
  // The merged usr/lib is neither layer's.
  const TestImage image = MakeImage(
      {TarBytes().Dir("usr/").Dir("usr/lib/").File("usr/lib/a", "a").End(), TarBytes().File("usr/lib/b", "b").End()});
  ASSERT_OK(Pull(image));
  const std::string commit = FindImage(store(), image.manifest.digest).value()->commit;
  const std::vector<TreeEntry> top = ListTree(store(), commit, "").value();
  const auto usr = std::find_if(top.begin(), top.end(), [](const TreeEntry& entry) { return entry.name == "usr"; });
  ASSERT_NE(usr, top.end());
  const std::string tree = usr->checksum;
  ASSERT_EQ(Run("truncate -s 0 " + Repo() + "/objects/" + tree.substr(0, 2) + "/" + tree.substr(2) + ".dirtree").first,
            0);
  const std::string before = Snapshot();
  const auto report = Prune(store(), {image.manifest.digest}, PruneMode::kRemove, ctx());
  EXPECT_FALSE(report.ok()) << report->objects << " objects of a kept image removed";
  EXPECT_EQ(Snapshot(), before);
  const auto listed = ListTree(store(), commit, "usr");
  ASSERT_FALSE(listed.ok()) << listed->size() << " names in a folder that had one";
  EXPECT_EQ(listed.error().code(), Errc::kCorrupt);
}

// Nothing else mends them: no deployment has the image.
TEST_F(PruneTest, RemovesDamagedRefsOfAnImageThatNobodyNeeds) {
  ASSERT_OK(Pull(old_));
  const std::string before = Snapshot();
  const std::string image = "hostapp/image/" + new_.manifest.digest.Hex();
  const std::string layer = "hostapp/layer/" + new_.config.diff_ids[1].Hex();
  for (const std::string damage : {"truncate -s 5 ", "rm -f {}; mkfifo ", "rm -f {}; mkdir "}) {
    ASSERT_OK(Pull(new_));
    for (const std::string& ref : {image, layer}) {
      const std::string file = Repo() + "/refs/heads/" + ref;
      std::string command = damage + file;
      if (const size_t at = command.find("{}"); at != std::string::npos) command.replace(at, 2, file);
      ASSERT_EQ(Run(command).first, 0) << command;
    }
    EXPECT_EQ(CheckStore(store(), ctx())->problems.size(), 2U) << damage;
    const auto report = Prune(store(), {old_.manifest.digest}, PruneMode::kRemove, ctx());
    ASSERT_OK(report);
    EXPECT_THAT(report->refs, ElementsAre(image, layer)) << damage;
    EXPECT_EQ(Snapshot(), before) << damage;
  }
  ExpectOstreeFsckClean();
}

TEST_F(PruneTest, RemovesNothingWhenARefOfAKeptImageOrOfSomebodyElseIsDamaged) {
  ASSERT_OK(Pull(old_));
  const std::string heads = Repo() + "/refs/heads/";
  const std::string layer = "hostapp/layer/" + old_.config.diff_ids[1].Hex();
  ASSERT_EQ(Run("ostree --repo=" + Repo() + " refs --create=somebody/else " + layer).first, 0);
  ASSERT_EQ(Run("cp -r " + heads + " " + (dir_ / "heads")).first, 0);
  for (const std::string& ref : {layer, "hostapp/image/" + old_.manifest.digest.Hex(), std::string("somebody/else")}) {
    ASSERT_EQ(Run("truncate -s 5 " + heads + ref).first, 0);
    const std::string before = Snapshot();
    const auto report = Prune(store(), {old_.manifest.digest}, PruneMode::kRemove, ctx());
    ASSERT_FALSE(report.ok()) << ref;
    EXPECT_EQ(report.error().code(), Errc::kCorrupt);
    EXPECT_THAT(report.error().message(), HasSubstr(ref));
    EXPECT_EQ(Snapshot(), before) << ref;
    ASSERT_EQ(Run("cp " + (dir_ / "heads/") + ref + " " + heads + ref).first, 0);
  }
  ASSERT_OK(Prune(store(), {old_.manifest.digest}, PruneMode::kRemove, ctx()));
}

TEST_F(PruneTest, RemovesNothingWhenAKeptImageIsDamaged) {
  ASSERT_OK(Pull(old_));
  ASSERT_OK(Pull(new_));
  const auto image = FindImage(store(), old_.manifest.digest);
  const std::string tree = ListTree(store(), (*image)->commit, "").value()[0].checksum;
  ASSERT_EQ(Run("rm " + Repo() + "/objects/" + tree.substr(0, 2) + "/" + tree.substr(2) + ".dirtree").first, 0);
  const std::string before = Snapshot();
  const auto report = Prune(store(), {old_.manifest.digest}, PruneMode::kRemove, ctx());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), Errc::kCorrupt);
  EXPECT_EQ(Snapshot(), before);
}

class CheckTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    const auto commit = Pull(image_);
    ASSERT_OK(commit);
    commit_ = *commit;
  }
  std::string ObjectFile(const std::string& checksum, const std::string& extension) const {
    return Repo() + "/objects/" + checksum.substr(0, 2) + "/" + checksum.substr(2) + "." + extension;
  }
  std::string BinObject() { return ListTree(store(), commit_, "usr").value()[0].checksum; }

  const TestImage image_ =
      MakeImage({TarBytes().Dir("usr/").File("usr/bin", "some program").Symlink("usr/l", "bin").End(),
                 TarBytes().File("usr/other", "x").End()});
  std::string commit_;
};

TEST_F(CheckTest, FindsNothingInAGoodStore) {
  const auto report = CheckStore(store(), ctx());
  ASSERT_OK(report);
  EXPECT_TRUE(report->problems.empty());
  EXPECT_GT(report->objects, 10U);
}

// Row 120: each class of damage is found, named, and mended from the image's source.
TEST_F(CheckTest, FindsEveryKindOfDamageAndMendsIt) {
  const std::string file = ObjectFile(BinObject(), "file");
  const std::string tree = ObjectFile(ListTree(store(), commit_, "").value()[0].checksum, "dirtree");
  const std::string commit = ObjectFile(commit_, "commit");
  const std::string layer = FindLayer(store(), image_.config.diff_ids[0]).value()->commit;
  const std::string index = ObjectFile(ListTree(store(), layer, "").value()[0].checksum, "file");
  const std::string ref = Repo() + "/refs/heads/hostapp/layer/" + image_.config.diff_ids[1].Hex();
  struct Case {
    std::string damage;
    StoreProblem::Kind kind;
  };
  const Case cases[] = {
      {"rm " + file, StoreProblem::Kind::kMissingObject},
      {"truncate -s 0 " + file, StoreProblem::Kind::kDamagedObject},
      {"truncate -s 5 " + file, StoreProblem::Kind::kDamagedObject},
      {"printf X | dd conv=notrunc bs=1 seek=3 of=" + file, StoreProblem::Kind::kDamagedObject},
      {"chmod 0777 " + file, StoreProblem::Kind::kDamagedObject},
      {"chown 5 " + file, StoreProblem::Kind::kDamagedObject},
      {"rm " + tree, StoreProblem::Kind::kMissingObject},
      {"truncate -s 0 " + tree, StoreProblem::Kind::kDamagedObject},
      {"truncate -s 7 " + commit, StoreProblem::Kind::kDamagedObject},
      {"printf X | dd conv=notrunc bs=1 seek=200 of=" + index, StoreProblem::Kind::kDamagedObject},
      {"truncate -s 0 " + ref, StoreProblem::Kind::kDamagedRef},
      {"rm " + file + " && mkdir -p " + file + "/below", StoreProblem::Kind::kDamagedObject},
      {"rm " + tree + " && mkdir -p " + tree + "/below", StoreProblem::Kind::kDamagedObject},
      {"rm " + commit + " && mkfifo " + commit, StoreProblem::Kind::kDamagedObject},
  };
  for (const Case& test : cases) {
    ASSERT_EQ(Run(test.damage).first, 0) << test.damage;
    const auto found = CheckStore(store(), ctx());
    ASSERT_OK(found);
    ASSERT_EQ(found->problems.size(), 1U) << test.damage;
    EXPECT_EQ(found->problems[0].kind, test.kind) << test.damage;
    EXPECT_FALSE(found->problems[0].refs.empty()) << test.damage;
    ctx().jobs = 4;
    const auto by_many = CheckStore(store(), ctx());
    ctx().jobs = 1;
    ASSERT_OK(by_many);
    ASSERT_EQ(by_many->problems.size(), 1U) << test.damage;
    EXPECT_EQ(by_many->problems[0].what, found->problems[0].what) << test.damage;
    EXPECT_EQ(by_many->objects, found->objects) << test.damage;
    EXPECT_EQ(by_many->bytes, found->bytes) << test.damage;
    ASSERT_OK(RepairImage(store(), found->problems, image_.manifest, image_.config, *image_.source, ctx()));
    const auto after = CheckStore(store(), ctx());
    ASSERT_OK(after);
    EXPECT_TRUE(after->problems.empty()) << test.damage << ": " << after->problems[0].what;
    EXPECT_EQ(MergeImage(store(), image_.manifest, image_.config, ctx()).value(), commit_) << test.damage;
  }
  ExpectOstreeFsckClean();
}

// What is damaged may still serve: a composefs root reads content, not the modes of its objects.
TEST_F(CheckTest, ARepairWithoutASourceRemovesNothing) {
  const std::string ref = Repo() + "/refs/heads/hostapp/layer/" + image_.config.diff_ids[1].Hex();
  ASSERT_EQ(Run("find " + Repo() + "/objects -type f -exec chmod g+w {} +").first, 0);
  ASSERT_EQ(Run("truncate -s 0 " + ref).first, 0);
  const auto found = CheckStore(store(), ctx());
  ASSERT_OK(found);
  ASSERT_GT(found->problems.size(), 3U);
  const std::string before = Snapshot();
  testing::MapSource down;
  const auto repaired = RepairImage(store(), found->problems, image_.manifest, image_.config, down, ctx());
  ASSERT_FALSE(repaired.ok());
  EXPECT_EQ(repaired.error().code(), Errc::kNotFound);
  EXPECT_EQ(Run("find " + (dir_ / "hostapp/tmp") + " -name '*.part' -delete").first, 0);
  EXPECT_EQ(Snapshot(), before);
  // Twice: what a damaged ref needs is checked when it names it again.
  for (int round = 0; round < 2; ++round) {
    const auto problems = CheckStore(store(), ctx());
    ASSERT_OK(problems);
    ASSERT_OK(RepairImage(store(), problems->problems, image_.manifest, image_.config, *image_.source, ctx()));
  }
  const auto after = CheckStore(store(), ctx());
  ASSERT_OK(after);
  EXPECT_TRUE(after->problems.empty()) << after->problems[0].what;
  ExpectOstreeFsckClean();
}

TEST_F(CheckTest, ARepairThatCannotFetchALayerRemovesNothing) {
  const std::string other = ListTree(store(), commit_, "usr").value().back().checksum;
  ASSERT_EQ(Run("chmod g+w " + ObjectFile(BinObject(), "file") + " " + ObjectFile(other, "file")).first, 0);
  const auto found = CheckStore(store(), ctx());
  ASSERT_OK(found);
  ASSERT_EQ(found->problems.size(), 2U);
  testing::MapSource half;
  half.blobs = image_.source->blobs;
  half.blobs.erase(image_.manifest.layers[1].digest);
  EXPECT_FALSE(RepairImage(store(), found->problems, image_.manifest, image_.config, half, ctx()).ok());
  const auto after = CheckStore(store(), ctx());
  ASSERT_OK(after);
  for (const StoreProblem& problem : after->problems) {
    EXPECT_EQ(problem.kind, StoreProblem::Kind::kDamagedObject) << problem.what;
  }
}

TEST_F(CheckTest, NamesTheRefsThatNeedADamagedObject) {
  ASSERT_EQ(Run("truncate -s 0 " + ObjectFile(BinObject(), "file")).first, 0);
  const auto report = CheckStore(store(), ctx());
  ASSERT_OK(report);
  ASSERT_EQ(report->problems.size(), 1U);
  EXPECT_EQ(report->problems[0].object, BinObject() + ".file");
  EXPECT_THAT(report->problems[0].what, HasSubstr("usr/bin: its checksum is "));
  EXPECT_THAT(report->problems[0].refs, ElementsAre("hostapp/image/" + image_.manifest.digest.Hex(),
                                                    "hostapp/layer/" + image_.config.diff_ids[0].Hex()));
}

// A store of another version: every object is what its name says.
TEST_F(CheckTest, FindsAnIndexOfAVersionThatItDoesNotKnowAndImportsTheLayerAgain) {
  const Digest diff_id = image_.config.diff_ids[0];
  const std::string ostree = "ostree --repo=" + Repo(), there = dir_ / "layer";
  ASSERT_EQ(Run(ostree + " checkout -C hostapp/layer/" + diff_id.Hex() + " " + there).first, 0);
  ASSERT_EQ(Run("printf '\\1' | dd conv=notrunc bs=1 seek=8 of=" + there + "/index").first, 0);
  ASSERT_EQ(Run(ostree + " commit --branch=hostapp/layer/" + diff_id.Hex() + " --tree=dir=" + there).first, 0);
  const auto found = CheckStore(store(), ctx());
  ASSERT_OK(found);
  ASSERT_EQ(found->problems.size(), 1U);
  EXPECT_EQ(found->problems[0].kind, StoreProblem::Kind::kDamagedIndex);
  EXPECT_THAT(found->problems[0].what, HasSubstr("version 1, which is not known here; `hostapp fsck --repair`"));
  ASSERT_OK(RepairImage(store(), found->problems, image_.manifest, image_.config, *image_.source, ctx()));
  const auto after = CheckStore(store(), ctx());
  ASSERT_OK(after);
  EXPECT_TRUE(after->problems.empty()) << after->problems[0].what;
  ExpectOstreeFsckClean();
}

}  // namespace
}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using Type = TarEntry::Type;

TarEntry Entry(std::string path, Type type = Type::kFile, std::string target = {}) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = 0644;
  entry.link_target = std::move(target);
  return entry;
}

Status AddAll(const std::vector<TarEntry>& entries) {
  LayerBuilder builder;
  for (const TarEntry& entry : entries) TRY(builder.Add(entry).status());
  return Ok();
}

struct Refused {
  std::vector<TarEntry> entries;
  const char* message;
};

TEST(LayerBuilder, RefusesWhatCouldReachElsewhere) {
  const Refused cases[] = {
      {{Entry("", Type::kSymlink, "/etc")}, "the root of a layer must be a folder"},
      {{Entry("", Type::kFile)}, "the root of a layer must be a folder"},
      {{Entry("d", Type::kSymlink, "/etc"), Entry("d/x")},
       "member d/x: it is below d, which the same layer made a link"},
      {{Entry("d"), Entry("d/x")}, "which the same layer made a file"},
      {{Entry("d"), Entry("d/e/x", Type::kDirectory)}, "which the same layer made a file"},
      {{Entry("b", Type::kHardlink, "a")}, "member b: a hard link to a, which no earlier member of the layer is"},
      {{Entry("b", Type::kHardlink, "a"), Entry("a")}, "which no earlier member of the layer is"},
      {{Entry("a"), Entry("a", Type::kHardlink, "a")}, "a hard link to itself"},
      {{Entry("a", Type::kSymlink, "x"), Entry("b", Type::kHardlink, "a")}, "a hard link to a, which is a link"},
      {{Entry("a", Type::kDirectory), Entry("b", Type::kHardlink, "a")}, "a hard link to a, which is a folder"},
      {{Entry("a/x"), Entry("b", Type::kHardlink, "a")}, "a hard link to a, which is a folder"},
      {{Entry("d", Type::kSymlink, "e"), Entry("e/x"), Entry("b", Type::kHardlink, "d/x")}, "no earlier member"},
      {{Entry("a"), Entry("a", Type::kDirectory)}, "twice, first as a file, then as a folder"},
      {{Entry("a", Type::kDirectory), Entry("a", Type::kSymlink, "x")}, "twice, first as a folder, then as a link"},
      {{Entry("a/b"), Entry("a")}, "twice, first as a folder, then as a file"},
      {{Entry("dev/x", Type::kFifo), Entry("dev/x")}, "twice, with two types"},
      {{Entry("dev/x"), Entry("dev/x", Type::kFifo)}, "twice, with two types"},
      {{Entry("p", Type::kFifo), Entry("p/x")}, "below a device or FIFO"},
      {{Entry("a\xff")}, "is not UTF-8"},
      {{Entry("l", Type::kSymlink, "\xff")}, "is not UTF-8"},
      {{Entry("l", Type::kSymlink, "")}, "a link without a target"},
  };
  for (const Refused& test : cases) {
    const Status status = AddAll(test.entries);
    ASSERT_FALSE(status.ok()) << test.message;
    EXPECT_EQ(status.error().code(), Errc::kCorrupt);
    EXPECT_THAT(status.error().message(), HasSubstr(test.message));
  }
}

TEST(LayerBuilder, RefusesWhiteoutsThatAreReadInSeveralWays) {
  TarEntry full = Entry(".wh.x");
  full.size = 1;
  for (const TarEntry& entry :
       {Entry(".wh."), Entry(".wh.."), Entry(".wh..."), Entry(".wh.a/b"), Entry(".wh.x", Type::kDirectory),
        Entry(".wh..wh.plnk", Type::kDirectory), Entry(".wh.x", Type::kSymlink, "y"), full}) {
    EXPECT_FALSE(AddAll({entry}).ok()) << entry.path;
  }
  EXPECT_FALSE(AddAll({Entry(".wh.x"), Entry("y", Type::kHardlink, ".wh.x")}).ok());
}

TEST(LayerBuilder, RefusesOverlaysOwnMarks) {
  TarEntry whiteout = Entry("x", Type::kCharDevice);
  EXPECT_FALSE(AddAll({whiteout}).ok());
  TarEntry opaque = Entry("x");
  opaque.xattrs["trusted.overlay.opaque"] = "y";
  EXPECT_FALSE(AddAll({opaque}).ok());
}

TEST(LayerBuilder, TheLaterOfTwoFilesWinsAndTheEarlierStaysForTheTar) {
  LayerBuilder builder;
  TarEntry second = Entry("a");
  second.mode = 0600;
  ASSERT_TRUE(builder.Add(Entry("a")).ok());
  ASSERT_TRUE(builder.Add(second).ok());
  EXPECT_EQ(builder.root().children.at("a").inode->mode, 0600U);
  ASSERT_EQ(builder.replaced().size(), 1U);
  EXPECT_EQ(builder.replaced()[0]->mode, 0644U);
}

TEST(LayerBuilder, HardLinksShareTheirFile) {
  LayerBuilder builder;
  ASSERT_TRUE(builder.Add(Entry("d/a")).ok());
  ASSERT_TRUE(builder.Add(Entry("b", Type::kHardlink, "d/a")).ok());
  EXPECT_EQ(builder.root().children.at("b").inode, builder.root().children.at("d").children.at("a").inode);
}

TEST(LayerBuilder, FoldersThatNobodySaysAreImplied) {
  LayerBuilder builder;
  ASSERT_TRUE(builder.Add(Entry("d/e/a")).ok());
  EXPECT_TRUE(builder.root().inode->implied);
  EXPECT_TRUE(builder.root().children.at("d").inode->implied);
  ASSERT_TRUE(builder.Add(Entry("d", Type::kDirectory)).ok());
  EXPECT_FALSE(builder.root().children.at("d").inode->implied);
  EXPECT_EQ(builder.root().children.at("d").children.size(), 1U);
}

TEST(LayerBuilder, DropsSpecialFilesAndLinksToThemWithAList) {
  TarEntry device = Entry("dev/null", Type::kCharDevice);
  device.device_major = 1;
  device.device_minor = 3;
  LayerBuilder builder;
  ASSERT_TRUE(builder.Add(device).ok());
  ASSERT_TRUE(builder.Add(Entry("p", Type::kFifo)).ok());
  ASSERT_TRUE(builder.Add(Entry("q", Type::kHardlink, "p")).ok());
  EXPECT_EQ(builder.dropped().size(), 3U);
  EXPECT_EQ(builder.root().children.size(), 1U);  // dev, implied
}

TEST(LayerBuilder, NamesAMemberOnceForAllThatItDoesNotKeep) {  // row 42
  TarEntry entry = Entry("f");
  entry.xattrs.emplace("security.selinux", "label");
  for (int i = 0; i < 1000; ++i) entry.unknown_keys.emplace_back("key");
  entry.unknown_keys[0] = std::string(1000, 'k');
  LayerBuilder builder;
  ASSERT_TRUE(builder.Add(entry).ok());
  ASSERT_EQ(builder.dropped().size(), 1U);
  const std::string& said = builder.dropped()[0].path;
  EXPECT_TRUE(said.starts_with("f (security.selinux, " + std::string(255, 'k') + ", key, ")) << said;
  EXPECT_TRUE(said.ends_with(", key, and 969 more)")) << said;
}

// How many members a layer takes until one is refused, and how it is told.
std::pair<int, std::string> AddUntilRefused(TarEntry entry, int at_most) {
  LayerBuilder builder;
  const std::string path = entry.path;
  for (int i = 0; i < at_most; ++i) {
    entry.path = StrCat(path, i);
    const auto added = builder.Add(entry);
    if (!added.ok()) {
      EXPECT_EQ(added.error().code(), Errc::kCorrupt);
      return {i, added.error().message()};
    }
  }
  return {at_most, ""};
}

// 500 of them were 0.7 MB of compressed layer and 540 MB of memory.
TEST(LayerBuilder, RefusesALayerWithTooManyBytesOfExtendedAttributes) {
  TarEntry folder = Entry("d", Type::kDirectory);
  for (int i = 0; i < 16; ++i) folder.xattrs.emplace(StrCat("user.", i), std::string(65'000, 'x'));
  const auto [count, error] = AddUntilRefused(folder, 500);
  EXPECT_EQ(count, 16);
  EXPECT_EQ(error, "member d16: with it, the layer's members have more than 16.0 MiB of extended attributes");
}

TEST(LayerBuilder, RefusesManySmallExtendedAttributesBeforeTheyFillTheMemory) {
  TarEntry file = Entry("f");
  for (int i = 0; i < 256; ++i) file.xattrs.emplace(StrCat("user.", i), "");
  const auto [count, error] = AddUntilRefused(file, 10'000);
  EXPECT_GT(count, 500);
  EXPECT_LT(count, 1'000);
  EXPECT_THAT(error, HasSubstr("of extended attributes"));
}

TEST(LayerBuilder, RefusesALayerThatBringsTooMuchThatIsLeftOut) {
  TarEntry named = Entry(std::string(200, 'n'));
  for (int i = 0; i < 33; ++i) named.unknown_keys.push_back(std::string(255, 'k'));
  const std::string rule = ": with it, the list of what no device takes from the layer has more than 64.0 MiB";
  const auto [count, error] = AddUntilRefused(named, 10'000);
  EXPECT_LT(count, 8'000);
  EXPECT_THAT(error, HasSubstr(rule));
  // 4 KiB of path each.
  std::string path;
  for (int i = 0; i < 16; ++i) path += std::string(250, 'p') + "/";
  const auto [fifos, told] = AddUntilRefused(Entry(path, Type::kFifo), 30'000);
  EXPECT_LT(fifos, 17'000);
  EXPECT_THAT(told, HasSubstr(rule));
}

// Each says 255 folders, in little more than a kilobyte of tar that compresses well.
TEST(LayerBuilder, RefusesALayerWithTooManyFoldersThatNoMemberSays) {
  LayerBuilder builder;
  std::string below;
  for (int i = 0; i < 254; ++i) below += "/d";
  for (int i = 0; i < 1'000; ++i) {
    const auto added = builder.Add(Entry(StrCat(i, below, "/f")));
    if (i < 970) {
      ASSERT_TRUE(added.ok()) << added.error().message();
    } else if (!added.ok()) {
      EXPECT_EQ(added.error().code(), Errc::kCorrupt);
      EXPECT_THAT(added.error().message(), HasSubstr("names more than 250000 folders that no member of it is"));
      return;
    }
  }
  FAIL() << "as many folders as anybody likes";
}

TEST(LayerBuilder, RefusesALayerWithTooManyBytesOfLinkTargets) {
  const auto [count, error] = AddUntilRefused(Entry("l", Type::kSymlink, std::string(4'096, 't')), 20'000);
  EXPECT_LT(count, 16'500);
  EXPECT_THAT(error, HasSubstr("with it, the targets of the layer's links have more than 64.0 MiB"));
}

// A label on each of many files, as SELinux has them, is no more than that.
TEST(LayerBuilder, TakesALabelOnEachOfManyFiles) {
  TarEntry file = Entry("usr/share/some/where/file");
  file.xattrs.emplace("security.selinux", "system_u:object_r:usr_t:s0");
  EXPECT_EQ(AddUntilRefused(file, 100'000).first, 100'000);
}

}  // namespace
}  // namespace hostapp

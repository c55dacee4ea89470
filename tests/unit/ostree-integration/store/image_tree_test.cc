// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_tree.h"

#include <fstream>
#include <set>

#include "hostapp/base/sinks.h"
#include "ostree-integration/composefs/erofs_writer.h"
#include "ostree-integration/store/mount_points.h"
#include "tests/unit/ostree-integration/store/store_fixture.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::MakeImage;
using testing::TarBytes;
using testing::TestImage;
using Tree = composefs::Tree;

class ImageTreeTest : public testing::StoreTest {
 protected:
  // Pulled, and its root image.
  Result<RootImage> Write(const TestImage& image, StringSink& out) {
    TRY(Pull(image).status());
    return WriteAgain(image, out);
  }
  Result<RootImage> WriteAgain(const TestImage& image, StringSink& out) {
    ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store(), image.manifest.digest, ctx()));
    return tree.WriteRootImage(out, ctx());
  }
  std::string ObjectOf(const TestImage& image, const std::string& folder, const std::string& name) {
    const auto found = FindImage(store(), image.manifest.digest);
    for (const TreeEntry& entry : ListTree(store(), (*found)->commit, folder).value()) {
      if (entry.name == name) return StrCat(entry.checksum.substr(0, 2), "/", entry.checksum.substr(2), ".file");
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }
};

const std::string kLong(100, 'l');
const std::string kOther(5000, 'o');

composefs::Sha256 VerityOf(std::string_view content) {
  composefs::FsVerityHasher hasher;
  hasher.Update(AsBytes(content));
  return hasher.Finish();
}

Tree::Id Folder(Tree& tree, Tree::Id parent, std::string_view name, uint32_t mode = 0755, int64_t mtime = 0) {
  return tree.AddFolder(parent, name, {.mode = mode, .mtime = mtime}).value();
}

// What the image of MakesTheTreeOfTheImage must be, said by hand.
Tree ExpectedTree(const std::string& long_object, const std::string& other_object) {
  Tree tree = Tree::Create({.mode = 0755}).value();
  for (const std::string_view name :
       {"boot", "dev", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "sysroot"}) {
    Folder(tree, Tree::kRoot, name);
  }
  Folder(tree, Tree::kRoot, "etc", 0750);
  Folder(tree, Tree::kRoot, "root", 0700);
  Folder(tree, Tree::kRoot, "tmp", 01777);
  const Tree::Id var = Folder(tree, Tree::kRoot, "var");
  EXPECT_TRUE(tree.AddInlineFile(var, "empty", {.mode = 0644}, "").ok());
  const Tree::Id usr = Folder(tree, Tree::kRoot, "usr", 0755, 1700000000);
  Folder(tree, usr, "local");
  const Tree::Id etc = Folder(tree, usr, "etc", 0750);
  EXPECT_TRUE(tree.AddInlineFile(etc, "hostname", {.mode = 0644}, "device\n").ok());
  const Tree::Id bin = Folder(tree, usr, "bin");
  const composefs::Xattr note[] = {{.name = "user.note", .value = "kept"}};
  const composefs::Metadata of_long{
      .mode = 04755, .uid = 7, .gid = 8, .mtime = 1700000001, .mtime_nanos = 500000000, .xattrs = note};
  const composefs::Backing long_file{.size = kLong.size(), .path = long_object, .verity = VerityOf(kLong)};
  const auto first = tree.AddFile(bin, "a", of_long, long_file);
  EXPECT_TRUE(tree.AddHardLink(bin, "b", first.value()).ok());
  EXPECT_TRUE(tree.AddSymlink(bin, "c", {.mode = 0777}, "a").ok());
  const composefs::Backing other{.size = kOther.size(), .path = other_object, .verity = VerityOf(kOther)};
  EXPECT_TRUE(tree.AddFile(bin, "replaced", {.mode = 0644, .mtime = 0}, other).ok());
  return tree;
}

TEST_F(ImageTreeTest, MakesTheTreeOfTheImage) {
  const TestImage image =
      MakeImage({TarBytes()
                     .Dir("usr/", {.mtime = testing::Octal(1700000000, 11)})
                     .Pax({{"mtime", "1700000001.5"}, {"SCHILY.xattr.user.note", "kept"}})
                     .File("usr/bin/a", kLong, {.mode = "0004755", .uid = "0000007", .gid = "0000010"})
                     .Hardlink("usr/bin/b", "usr/bin/a")
                     .Symlink("usr/bin/c", "a")
                     .File("usr/bin/removed", "x")
                     .File("usr/bin/replaced", kLong)
                     .Dir("etc/", {.mode = "0000750"})
                     .File("etc/hostname", "device\n")
                     .File("var/empty", "")
                     .End(),
                 TarBytes().File("usr/bin/.wh.removed", "").File("usr/bin/replaced", kOther).End()});
  StringSink bytes;
  const auto made = Write(image, bytes);
  ASSERT_OK(made);
  EXPECT_EQ(made->bytes, bytes.text.size());
  EXPECT_EQ(made->digest.Hex(), HexEncode(VerityOf(bytes.text)));
  StringSink expected;
  const Tree tree = ExpectedTree(ObjectOf(image, "usr/bin", "a"), ObjectOf(image, "usr/bin", "replaced"));
  ASSERT_OK(composefs::WriteImage(tree, composefs::FormatVersion::kV0, expected));
  EXPECT_TRUE(bytes.text == expected.text)
      << "made " << bytes.text.size() << " bytes, expected " << expected.text.size();
}

TEST_F(ImageTreeTest, OfANameThatALaterLayerTookFromItsGroupIsNoLink) {
  const TestImage image = MakeImage(
      {TarBytes().Dir("usr/").File("usr/a", kLong).Hardlink("usr/b", "usr/a").Hardlink("usr/c", "usr/a").End(),
       TarBytes().File("usr/b", kLong).End()});
  StringSink bytes;
  ASSERT_OK(Write(image, bytes));
  const TestImage other =
      MakeImage({TarBytes().Dir("usr/").File("usr/a", kLong).Hardlink("usr/c", "usr/a").File("usr/b", kLong).End()});
  StringSink same;
  ASSERT_OK(Write(other, same));
  EXPECT_TRUE(bytes.text == same.text);
}

TEST_F(ImageTreeTest, RefusesANameThatHidesAFolderOfTheStore) {
  StringSink bytes;
  const auto made = Write(MakeImage({TarBytes().Dir("usr/").Dir("a7/").End()}), bytes);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), Errc::kCorrupt);
  EXPECT_THAT(made.error().message(),
              HasSubstr("it has /a7, a name that a composefs root needs itself; deploy with --root checkout"));
  EXPECT_EQ(bytes.text, "");
}

// A file system that keeps any attributes (XFS does, ext4 and tmpfs have limits of their own).
class TakesAnyXattr : public Syscalls {
 public:
  int Fsetxattr(int, const char*, const void*, size_t) override { return 0; }
};

TEST_F(ImageTreeTest, RefusesMoreAttributesThanAnImageCanHave) {
  TakesAnyXattr sys;
  OpContext any{.clock = ctx().clock, .log = ctx().log, .progress = ctx().progress, .cancel = {}, .sys = sys};
  const auto with = [](size_t bytes) {
    return MakeImage(
        {TarBytes()
             .Dir("usr/")
             .Pax({{"SCHILY.xattr.user.a", std::string(bytes, 'a')}, {"SCHILY.xattr.user.b", std::string(bytes, 'b')}})
             .File("usr/noted", "x")
             .End()});
  };
  // 12 bytes for all, 7 and the name's for each.
  const size_t most = (composefs::kMaxXattrBytes - 12) / 2 - 7 - std::string_view("user.a").size();
  for (const size_t bytes : {most, most + 1}) {
    const TestImage image = with(bytes);
    ASSERT_OK(ImportImage(store(), image.manifest, image.config, *image.source, any));
    ASSERT_OK(MergeImage(store(), image.manifest, image.config, any));
    const auto tree = ImageTree::Load(store(), image.manifest.digest, any);
    ASSERT_OK(tree);
    StringSink out;
    const auto made = tree->WriteRootImage(out, any);
    if (bytes == most) {
      EXPECT_EQ(tree->ObstacleToRootImage(), "");
      ASSERT_OK(made);
      continue;
    }
    EXPECT_EQ(tree->ObstacleToRootImage(), "/usr/noted with extended attributes of more than 32767 bytes");
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code(), Errc::kCorrupt);
    EXPECT_EQ(out.text, "");
  }
}

TEST_F(ImageTreeTest, RefusesAShortFileThatIsDamaged) {
  const TestImage image = MakeImage({TarBytes().Dir("usr/").File("usr/short", "short").End()});
  ASSERT_OK(Pull(image));
  const std::string object = StrCat(Repo(), "/objects/", ObjectOf(image, "usr", "short"));
  for (const char* damaged : {"Short", "shorter", ""}) {
    std::ofstream(object) << damaged;
    StringSink bytes;
    const auto made = WriteAgain(image, bytes);
    ASSERT_FALSE(made.ok()) << damaged;
    EXPECT_EQ(made.error().code(), Errc::kCorrupt);
    EXPECT_THAT(made.error().message(), HasSubstr(ObjectOf(image, "usr", "short")));
  }
  ASSERT_EQ(::unlink(object.c_str()), 0);
  StringSink bytes;
  EXPECT_EQ(WriteAgain(image, bytes).error().code(), Errc::kNotFound);
}

TEST_F(ImageTreeTest, KnowsEachObjectOnceWithItsSize) {
  const TestImage image = MakeImage({TarBytes()
                                         .Dir("usr/")
                                         .File("usr/a", kLong)
                                         .Hardlink("usr/b", "usr/a")
                                         .File("usr/equal", kLong)
                                         .File("usr/other", kOther)
                                         .Symlink("usr/link", "a")
                                         .End()});
  ASSERT_OK(Pull(image));
  std::multiset<uint64_t> sizes;
  Sha256 last{};
  for (const ObjectSize& object : ImageTree::Load(store(), image.manifest.digest, ctx())->Objects()) {
    EXPECT_LT(last, object.object);
    last = object.object;
    sizes.insert(object.size);
  }
  EXPECT_THAT(sizes, ::testing::ElementsAre(0, kLong.size(), kOther.size()));
}

TEST_F(ImageTreeTest, OfAnImageThatIsNotThereIsNotFound) {
  StringSink bytes;
  const TestImage image = MakeImage({TarBytes().Dir("usr/").End()});
  EXPECT_EQ(WriteAgain(image, bytes).error().code(), Errc::kNotFound);
}

}  // namespace
}  // namespace hostapp

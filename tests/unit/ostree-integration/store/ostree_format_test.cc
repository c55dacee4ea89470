// SPDX-License-Identifier: Apache-2.0
// The objects that the store writes itself, beside what libostree makes of the same files and folders.
#include "ostree-integration/store/ostree_format.h"

#include <gtest/gtest.h>
#include <ostree.h>
#include <sys/stat.h>

#include "ostree-integration/glib/error.h"
#include "tests/support/temp_dir.h"

namespace hostapp {
namespace {

glib::ObjectPtr<GFileInfo> InfoOf(const Inode& inode, uint32_t type) {
  glib::ObjectPtr<GFileInfo> info = glib::Adopt(g_file_info_new());
  g_file_info_set_attribute_uint32(info.get(), "unix::uid", inode.uid);
  g_file_info_set_attribute_uint32(info.get(), "unix::gid", inode.gid);
  g_file_info_set_attribute_uint32(info.get(), "unix::mode", type | inode.mode);
  g_file_info_set_file_type(info.get(), type == S_IFLNK   ? G_FILE_TYPE_SYMBOLIC_LINK
                                        : type == S_IFDIR ? G_FILE_TYPE_DIRECTORY
                                                          : G_FILE_TYPE_REGULAR);
  if (type == S_IFLNK) g_file_info_set_symlink_target(info.get(), inode.link_target.c_str());
  return info;
}

glib::VariantPtr XattrsOf(const Inode& inode) {
  GVariantBuilder builder;
  g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ayay)"));
  for (const auto& [name, value] : inode.xattrs) {
    g_variant_builder_add(&builder, "(@ay@ay)", g_variant_new_bytestring(name.c_str()),
                          g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, value.data(), value.size(), 1));
  }
  return glib::Sink(g_variant_builder_end(&builder));
}

std::string TheirObject(const Inode& inode, uint32_t type, std::string_view content) {
  const auto info = InfoOf(inode, type);
  g_file_info_set_size(info.get(), static_cast<goffset>(content.size()));
  const auto input =
      glib::Adopt(g_memory_input_stream_new_from_data(content.data(), static_cast<gssize>(content.size()), nullptr));
  glib::ErrorSlot error;
  g_autofree guchar* checksum = nullptr;
  EXPECT_TRUE(ostree_checksum_file_from_input(info.get(), XattrsOf(inode).get(),
                                              type == S_IFREG ? input.get() : nullptr, OSTREE_OBJECT_TYPE_FILE,
                                              &checksum, nullptr, error));
  return HexEncode(std::as_bytes(std::span(checksum, 32)));
}

std::string OurObject(const Inode& inode, std::string_view content) {
  Hasher hasher;
  HashObjectHeader(inode, hasher);
  hasher.Update(AsBytes(content));
  return hasher.Finish().Hex();
}

// Attributes whose values cross the sizes from which on an end takes more bytes.
std::vector<Xattrs> SomeXattrs() {
  std::vector<Xattrs> out = {{}};
  for (size_t size = 0; size < 300; ++size) out.push_back({{"user.x", std::string(size, 'v')}});
  for (size_t size = 65'450; size < 65'550; ++size)
    out.push_back({{"user.x", std::string(size, '\0')}, {"user.y", ""}});
  Xattrs many;
  for (int i = 0; i < 60; ++i) {
    many.emplace(StrCat("user.", i), std::string(static_cast<size_t>(i), 'v'));
    out.push_back(many);
  }
  return out;
}

Inode Owned(Inode::Type type) {
  Inode inode;
  inode.type = type;
  inode.mode = type == Inode::Type::kSymlink ? 0777 : 06751;
  inode.uid = 4'000'000'000U;
  inode.gid = 1;
  return inode;
}

TEST(OstreeFormat, GivesFilesTheChecksumThatLibostreeGivesThem) {
  Inode file = Owned(Inode::Type::kFile);
  for (Xattrs& xattrs : SomeXattrs()) {
    file.xattrs = std::move(xattrs);
    EXPECT_EQ(OurObject(file, "content"), TheirObject(file, S_IFREG, "content"));
  }
}

TEST(OstreeFormat, GivesLinksTheChecksumThatLibostreeGivesThem) {
  Inode link = Owned(Inode::Type::kSymlink);
  for (size_t size = 1; size < 4095; size += size < 300 ? 1 : 97) {
    link.link_target = std::string(size, 't');
    EXPECT_EQ(Hex(SymlinkObjectId(link)), TheirObject(link, S_IFLNK, ""));
  }
}

TEST(OstreeFormat, WritesFoldersAsLibostreeDoes) {
  Inode folder = Owned(Inode::Type::kDirectory);
  for (Xattrs& xattrs : SomeXattrs()) {
    folder.xattrs = std::move(xattrs);
    const auto theirs =
        glib::Sink(ostree_create_directory_metadata(InfoOf(folder, S_IFDIR).get(), XattrsOf(folder).get()));
    EXPECT_EQ(DirMetaBytes(folder), AsText(VariantBytes(theirs.get())));
  }
}

class OstreeTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = glib::Adopt(g_file_new_for_path(dir_.path().c_str()));
    repo_ = glib::Adopt(ostree_repo_new(folder.get()));
    glib::ErrorSlot error;
    ASSERT_TRUE(ostree_repo_create(repo_.get(), OSTREE_REPO_MODE_BARE_USER, nullptr, error));
    ASSERT_TRUE(ostree_repo_prepare_transaction(repo_.get(), nullptr, nullptr, error));
    const Inode meta = Owned(Inode::Type::kDirectory);
    const auto variant =
        glib::Sink(ostree_create_directory_metadata(InfoOf(meta, S_IFDIR).get(), XattrsOf(meta).get()));
    g_autofree guchar* checksum = nullptr;
    ASSERT_TRUE(ostree_repo_write_metadata(repo_.get(), OSTREE_OBJECT_TYPE_DIR_META, nullptr, variant.get(), &checksum,
                                           nullptr, error));
    meta_ = HexEncode(std::as_bytes(std::span(checksum, 32)));
    empty_ = TheirTree({}, {});
  }

  // Of a tree whose files all have one checksum, and whose folders are all empty ones.
  std::string TheirTree(const std::vector<std::string>& files, const std::vector<std::string>& folders) {
    glib::ErrorSlot error;
    const auto tree = glib::Adopt(ostree_mutable_tree_new());
    ostree_mutable_tree_set_metadata_checksum(tree.get(), meta_.c_str());
    for (const std::string& name : files) {
      EXPECT_TRUE(ostree_mutable_tree_replace_file(tree.get(), name.c_str(), meta_.c_str(), error));
    }
    for (const std::string& name : folders) {
      OstreeMutableTree* below = nullptr;
      EXPECT_TRUE(ostree_mutable_tree_ensure_dir(tree.get(), name.c_str(), &below, error));
      ostree_mutable_tree_set_metadata_checksum(below, meta_.c_str());
      g_object_unref(below);
    }
    GFile* root = nullptr;
    EXPECT_TRUE(ostree_repo_write_mtree(repo_.get(), tree.get(), &root, nullptr, error));
    const auto owner = glib::Adopt(root);
    return ostree_repo_file_tree_get_contents_checksum(OSTREE_REPO_FILE(root));
  }

  std::string OurTree(const std::vector<std::string>& files, const std::vector<std::string>& folders) {
    DirTreeBuilder builder;
    for (const std::string& name : files) builder.AddFile(name, *ParseSha256(meta_));
    for (const std::string& name : folders) builder.AddDirectory(name, *ParseSha256(empty_), *ParseSha256(meta_));
    return HashOf(AsBytes(builder.Finish())).Hex();
  }

  testing::TempDir dir_;
  glib::ObjectPtr<OstreeRepo> repo_;
  std::string meta_, empty_;
};

TEST_F(OstreeTreeTest, IsWrittenAsLibostreeDoesForAnyNumberAndLengthOfNames) {
  std::vector<std::string> files, folders;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(OurTree(files, folders), TheirTree(files, folders)) << i;
    files.push_back(StrCat("f", 1000 + i));
    if (i % 3 == 0) folders.push_back(StrCat("g", 1000 + i));
  }
  for (size_t size = 150; size < 256; ++size) {
    const std::vector<std::string> one = {std::string(size, 'n')};
    EXPECT_EQ(OurTree(one, {}), TheirTree(one, {})) << size;
    EXPECT_EQ(OurTree({}, one), TheirTree({}, one)) << size;
  }
  for (int i = 0; i < 2000; ++i) files.push_back(StrCat("h", 10'000 + i));
  EXPECT_EQ(OurTree(files, folders), TheirTree(files, folders));
}

}  // namespace
}  // namespace hostapp

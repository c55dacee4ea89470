// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/layer_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using Type = TarEntry::Type;

TarEntry Entry(std::string path, Type type = Type::kFile, std::string target = "") {
  TarEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.link_target = std::move(target);
  return entry;
}

TEST(ClassifyWhiteout, KnowsWhatIsHidden) {
  const auto hide = ClassifyWhiteout(Entry("d/.wh.x"));
  ASSERT_TRUE(hide.ok());
  EXPECT_EQ(hide->kind, Whiteout::Kind::kHide);
  EXPECT_EQ(hide->path, "d/x");
  EXPECT_EQ(ClassifyWhiteout(Entry(".wh.x"))->path, "x");
  EXPECT_EQ(ClassifyWhiteout(Entry(".wh...x"))->path, "..x");
  const auto opaque = ClassifyWhiteout(Entry("a/b/.wh..wh..opq"));
  EXPECT_EQ(opaque->kind, Whiteout::Kind::kOpaque);
  EXPECT_EQ(opaque->path, "a/b");
  EXPECT_EQ(ClassifyWhiteout(Entry(".wh..wh..opq"))->path, "");
  EXPECT_EQ(ClassifyWhiteout(Entry("a/.whx"))->kind, Whiteout::Kind::kNone);
  EXPECT_EQ(ClassifyWhiteout(Entry("a/x.wh."))->kind, Whiteout::Kind::kNone);
}

TEST(ClassifyWhiteout, RefusesWhatNoReaderAgreesOn) {  // rows 21, 26, 27
  TarEntry with_data = Entry("d/.wh.x");
  with_data.size = 1;
  const std::vector<TarEntry> bad = {Entry(".wh."),
                                     Entry("d/.wh."),
                                     Entry("d/.wh.."),
                                     Entry("d/.wh..."),
                                     Entry("d/.wh.a/b"),
                                     Entry(".wh.a/b/c"),
                                     Entry(".wh..wh..opq/b"),
                                     Entry("d/.wh..wh.plnk"),
                                     Entry("d/.wh..wh.aufs", Type::kHardlink, "d/x"),
                                     Entry("d/.wh.x", Type::kDirectory),
                                     Entry("d/.wh.x", Type::kSymlink, "y"),
                                     Entry("d/.wh.x", Type::kHardlink, "d/y"),
                                     Entry("d/.wh..wh..opq", Type::kDirectory),
                                     Entry("d/x", Type::kHardlink, "d/.wh.y"),
                                     with_data,
                                     Entry("d/x", Type::kCharDevice)};
  for (const TarEntry& entry : bad) {
    const auto whiteout = ClassifyWhiteout(entry);
    ASSERT_FALSE(whiteout.ok()) << entry.path;
    EXPECT_EQ(whiteout.error().code(), Errc::kCorrupt);
  }
}

TEST(CheckHostEntry, WantsFoldersWhereADeploymentHasFolders) {  // row 19
  for (const char* name : {"etc", "usr", "var", "sysroot", "boot", "dev", "proc", "sys", "run", "ostree"}) {
    EXPECT_TRUE(CheckHostEntry(Entry(name, Type::kDirectory)).ok());
    EXPECT_EQ(CheckHostEntry(Entry(name, Type::kSymlink, "tmp")).error().code(), Errc::kCorrupt);
    EXPECT_EQ(CheckHostEntry(Entry(name)).error().code(), Errc::kCorrupt);
  }
  EXPECT_TRUE(CheckHostEntry(Entry("ostree", Type::kSymlink, "sysroot/ostree")).ok());
  EXPECT_FALSE(CheckHostEntry(Entry("ostree", Type::kSymlink, "/sysroot/ostree")).ok());
  EXPECT_TRUE(CheckHostEntry(Entry("lib", Type::kSymlink, "usr/lib")).ok());
  EXPECT_TRUE(CheckHostEntry(Entry("home", Type::kSymlink, "var/home")).ok());
}

TEST(ReasonToDrop, NamesWhatADeploymentCannotKeep) {  // rows 28, 29
  for (const char* path : {"dev/null", "proc/x", "sys/a/b", "run/lock", "tmp/x"}) {
    EXPECT_TRUE(ReasonToDrop(Entry(path)).has_value()) << path;
  }
  EXPECT_TRUE(ReasonToDrop(Entry("usr/x", Type::kCharDevice)).has_value());
  EXPECT_TRUE(ReasonToDrop(Entry("usr/x", Type::kBlockDevice)).has_value());
  EXPECT_TRUE(ReasonToDrop(Entry("usr/x", Type::kFifo)).has_value());
  for (const char* path : {"dev", "usr/dev/x", "device", "var/tmp/x", ""}) {
    EXPECT_FALSE(ReasonToDrop(Entry(path, Type::kDirectory)).has_value()) << path;
  }
}

std::string Le(uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}
std::string Capability(uint32_t magic, size_t size) {
  std::string out = Le(magic, 4);
  out.resize(size, '\0');
  return out;
}
std::string AclEntry(uint32_t tag, uint32_t permissions, uint32_t id = 0xffffffff) {
  return Le(tag, 2) + Le(permissions, 2) + Le(id, 4);
}
const std::string kAcl = Le(2, 4) + AclEntry(1, 6) + AclEntry(2, 4, 1000) + AclEntry(2, 4, 1001) + AclEntry(4, 4) +
                         AclEntry(0x10, 4) + AclEntry(0x20, 0);

Result<FilteredXattrs> Filter(std::string name, std::string value, Type type = Type::kFile) {
  TarEntry entry = Entry("f", type);
  entry.xattrs.emplace(std::move(name), std::move(value));
  return FilterXattrs(entry);
}

TEST(FilterXattrs, KeepsWhatTheSystemNeeds) {  // rows 31, 34
  EXPECT_EQ(Filter("user.a", "v")->kept.at("user.a"), "v");
  EXPECT_EQ(Filter("security.capability", Capability(0x02000001, 20))->kept.size(), 1u);
  EXPECT_EQ(Filter("security.capability", Capability(0x03000000, 24))->kept.size(), 1u);
  EXPECT_EQ(Filter("system.posix_acl_access", kAcl)->kept.size(), 1u);
  EXPECT_EQ(Filter("system.posix_acl_default", kAcl, Type::kDirectory)->kept.size(), 1u);
}

TEST(FilterXattrs, DropsAndNamesTheRest) {  // row 32
  for (const char* name : {"security.selinux", "security.ima", "security.evm", "trusted.x", "com.apple.quarantine",
                           "system.nfs4_acl", "user."}) {
    const auto filtered = Filter(name, "v");
    ASSERT_TRUE(filtered.ok());
    EXPECT_TRUE(filtered->kept.empty());
    EXPECT_THAT(filtered->dropped, ElementsAre(name));
  }
  EXPECT_THAT(Filter("user.a", "v", Type::kSymlink)->dropped, ElementsAre("user.a"));
  EXPECT_EQ(Filter("security.capability", Capability(0x02000000, 20), Type::kDirectory)->dropped.size(), 1u);
  EXPECT_EQ(Filter("system.posix_acl_default", kAcl, Type::kFile)->dropped.size(), 1u);
}

TEST(FilterXattrs, RefusesOverlayfssOwnNames) {  // row 27
  for (const char* name : {"trusted.overlay.opaque", "user.overlay.redirect", "user.overlay."}) {
    EXPECT_EQ(Filter(name, "y").error().code(), Errc::kCorrupt);
  }
}

TEST(FilterXattrs, RefusesMalformedCapabilities) {  // row 31
  for (const std::string& value :
       {std::string(), Capability(0x01000000, 12), Capability(0x02000000, 24), Capability(0x03000000, 20),
        Capability(0x02000002, 20), Capability(0x04000000, 24), Capability(0x02000000, 19)}) {
    EXPECT_EQ(Filter("security.capability", value).error().code(), Errc::kCorrupt);
  }
}

TEST(FilterXattrs, RefusesMalformedAccessLists) {  // row 34
  const std::string user = AclEntry(1, 6), group = AclEntry(4, 4), other = AclEntry(0x20, 0);
  for (const std::string& value :
       {std::string(), Le(2, 4), Le(1, 4) + user + group + other, kAcl + "x", kAcl.substr(0, kAcl.size() - 1),
        Le(2, 4) + group + user + other, Le(2, 4) + user + group, Le(2, 4) + user + user + group + other,
        Le(2, 4) + user + AclEntry(2, 4, 1000) + group + other, Le(2, 4) + user + AclEntry(4, 8) + other,
        Le(2, 4) + user + group + other + AclEntry(0x40, 0),
        Le(2, 4) + user + AclEntry(2, 4) + group + AclEntry(0x10, 4) + other}) {
    EXPECT_EQ(Filter("system.posix_acl_access", value).error().code(), Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace hostapp

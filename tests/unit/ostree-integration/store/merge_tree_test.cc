// SPDX-License-Identifier: Apache-2.0
// Layers over each other, as text: each member is "path", "path/" for a folder, "path>" for a link.
#include "ostree-integration/store/merge_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ostree-integration/store/layer_builder.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

uint32_t next_uid = 0;  // tells which member an entry came from

Node Layer(const std::vector<std::string>& members) {
  LayerBuilder builder;
  for (const std::string& member : members) {
    TarEntry entry;
    entry.path = member;
    entry.mode = 0755;
    if (member.ends_with('/')) {
      entry.type = TarEntry::Type::kDirectory;
      entry.path.pop_back();
    } else if (member.ends_with('>')) {
      entry.type = TarEntry::Type::kSymlink;
      entry.path.pop_back();
      entry.link_target = "/elsewhere";
    }
    entry.uid = ++next_uid;
    EXPECT_TRUE(builder.Add(entry).ok()) << member;
  }
  return builder.TakeRoot();
}

void List(const Node& node, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, child] : node.children) {
    const std::string child_path = path + name;
    if (child.is_dir()) {
      out.push_back(child_path + "/");
      List(child, child_path + "/", out);
    } else {
      out.push_back(child.inode->type == Inode::Type::kSymlink ? child_path + ">" : child_path);
    }
  }
}

Status Merge(const std::vector<std::vector<std::string>>& layers, std::vector<std::string>& out) {
  Node tree{ImpliedDirectory(), {}};
  for (const auto& layer : layers) TRY(ApplyLayer(tree, Layer(layer)));
  List(tree, "", out);
  return Ok();
}

std::vector<std::string> Merged(const std::vector<std::vector<std::string>>& layers) {
  std::vector<std::string> out;
  const Status status = Merge(layers, out);
  EXPECT_TRUE(status.ok()) << status.error().message();
  return out;
}

TEST(ApplyLayer, AddsAndReplaces) {
  EXPECT_THAT(Merged({{"a", "b"}, {"b>", "c/d"}}), ElementsAre("a", "b>", "c/", "c/d"));
}

TEST(ApplyLayer, RemovesWhatAWhiteoutNames) {
  EXPECT_THAT(Merged({{"a", "d/x", "d/y"}, {".wh.a", "d/.wh.x"}}), ElementsAre("d/", "d/y"));
  EXPECT_THAT(Merged({{"a", "d/x"}, {".wh.d"}}), ElementsAre("a"));
}

TEST(ApplyLayer, IgnoresAWhiteoutOfNothing) {
  EXPECT_THAT(Merged({{"a"}, {".wh.b", "q/.wh.c"}}), ElementsAre("a", "q/"));
}

TEST(ApplyLayer, HidesOnlyLowerLayersWhereverTheMarkStands) {
  EXPECT_THAT(Merged({{"d/old"}, {"d/.wh..wh..opq", "d/new"}}), ElementsAre("d/", "d/new"));
  EXPECT_THAT(Merged({{"d/old"}, {"d/new", "d/.wh..wh..opq"}}), ElementsAre("d/", "d/new"));
  EXPECT_THAT(Merged({{"d/x"}, {"d/x", "d/.wh.x"}}), ElementsAre("d/", "d/x"));
  EXPECT_THAT(Merged({{"d/x"}, {".wh.d", "d/y"}}), ElementsAre("d/", "d/y"));
  EXPECT_THAT(Merged({{"a", "d/x"}, {".wh..wh..opq", "b"}}), ElementsAre("b"));
}

TEST(ApplyLayer, AWhiteoutInANewFolderHidesNothing) {
  EXPECT_THAT(Merged({{"a"}, {"n/.wh.a", "n/b"}}), ElementsAre("a", "n/", "n/b"));
}

TEST(ApplyLayer, AWhiteoutGoesOnForTheLayersAboveOnlyOnce) {
  EXPECT_THAT(Merged({{"a"}, {".wh.a"}, {"a"}}), ElementsAre("a"));
}

TEST(ApplyLayer, RemovesALinkAndNeverWhatItNames) {
  EXPECT_THAT(Merged({{"d>", "elsewhere/x"}, {".wh.d"}}), ElementsAre("elsewhere/", "elsewhere/x"));
}

TEST(ApplyLayer, AFolderReplacesALowerFileOrLinkAndTheOtherWayRound) {
  EXPECT_THAT(Merged({{"d>"}, {"d/", "d/x"}}), ElementsAre("d/", "d/x"));
  EXPECT_THAT(Merged({{"d/x", "d/y/z"}, {"d"}}), ElementsAre("d"));
}

TEST(ApplyLayer, RefusesAPathThroughALowerLink) {
  std::vector<std::string> out;
  for (const auto& member : {"d/x", "d/e/x", "d/.wh.x"}) {
    const Status status = Merge({{"d>"}, {member}}, out);
    ASSERT_FALSE(status.ok()) << member;
    EXPECT_EQ(status.error().code(), Errc::kCorrupt);
    EXPECT_THAT(status.error().message(), HasSubstr("members below d, which a lower layer made a file or link"));
  }
}

TEST(ApplyLayer, AFolderThatNobodySaysKeepsTheLowerOnesOwner) {
  Node tree{ImpliedDirectory(), {}};
  ASSERT_TRUE(ApplyLayer(tree, Layer({"d/"})).ok());
  const uint32_t owner = tree.children.at("d").inode->uid;
  ASSERT_TRUE(ApplyLayer(tree, Layer({"d/x"})).ok());
  EXPECT_EQ(tree.children.at("d").inode->uid, owner);
  ASSERT_TRUE(ApplyLayer(tree, Layer({"d/"})).ok());
  EXPECT_NE(tree.children.at("d").inode->uid, owner);
  EXPECT_EQ(tree.children.at("d").children.size(), 1U);
}

}  // namespace
}  // namespace hostapp

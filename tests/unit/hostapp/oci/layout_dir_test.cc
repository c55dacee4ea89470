// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/layout.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
using testing::TestContext;

namespace fs = std::filesystem;

Descriptor DescriptorOf(std::string_view bytes, std::string_view type) {
  return {.media_type = std::string(type),
          .digest = Digest::Of(AsBytes(bytes)),
          .size = bytes.size(),
          .annotations = {},
          .platform = {},
          .artifact_type = {}};
}

class LayoutDirTest : public ::testing::Test {
 protected:
  Reference Ref(const std::string& tag = "v1") {
    Reference reference;
    reference.transport = Reference::Transport::kLayoutDir;
    reference.path = dir_ / "layout";
    reference.tag = tag;
    return reference;
  }
  std::string BlobPath(std::string_view bytes) {
    return dir_ / StrCat("layout/blobs/sha256/", Digest::Of(AsBytes(bytes)).Hex());
  }
  // Writes an image of one layer; returns the manifest.
  Result<Document> Write(const std::string& tag, const std::string& layer, OpContext& ctx) {
    ASSIGN_OR_RETURN(auto destination, OpenLayoutDirForWriting(Ref(tag), ctx));
    const std::string config = R"({"architecture":"amd64","os":"linux"})";
    for (const std::string& blob : {config, layer}) {
      const std::string path = dir_ / "blob";
      std::ofstream(path, std::ios::binary | std::ios::trunc) << blob;
      const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      TRY(destination->PutBlob(DescriptorOf(blob, "application/octet-stream"), file.get(), ctx));
    }
    const Json json(Json::Object{{"schemaVersion", 2},
                                 {"mediaType", media_type::kOciManifest},
                                 {"config", ToJson(DescriptorOf(config, media_type::kOciConfig))},
                                 {"layers", Json::Array{ToJson(DescriptorOf(layer, media_type::kOciLayerTar))}}});
    Document document{std::string(media_type::kOciManifest), json.Dump()};
    TRY(destination->PutManifest(document, ImageDestination::Tagged::kYes, ctx));
    TRY(destination->Commit(ctx));
    return document;
  }
  Result<Document> ReadTop(const Reference& reference) {
    ASSIGN_OR_RETURN(auto source, OpenLayoutDir(reference, context_.ctx));
    return source->FetchTop(context_.ctx);
  }

  TempDir dir_;
  TestContext context_;
};

TEST_F(LayoutDirTest, ReadsBackWhatItWrote) {
  const auto written = Write("v1", "layer bytes", context_.ctx);
  ASSERT_TRUE(written.ok()) << written.error().message();
  auto source = OpenLayoutDir(Ref(), context_.ctx);
  ASSERT_TRUE(source.ok()) << source.error().message();
  const auto top = (*source)->FetchTop(context_.ctx);
  ASSERT_TRUE(top.ok()) << top.error().message();
  EXPECT_EQ(top->bytes, written->bytes);
  EXPECT_EQ(top->media_type, media_type::kOciManifest);
  const auto layer = FetchSmallBlob(DescriptorOf("layer bytes", "application/x"), 100, **source, context_.ctx);
  ASSERT_TRUE(layer.ok());
  EXPECT_EQ(*layer, "layer bytes");
}

TEST_F(LayoutDirTest, KeepsOtherTagsAndReplacesItsOwn) {
  const auto one = Write("v1", "one", context_.ctx);
  const auto two = Write("v2", "two", context_.ctx);
  const auto three = Write("v1", "three", context_.ctx);
  ASSERT_TRUE(one.ok() && two.ok() && three.ok());
  EXPECT_EQ(ReadTop(Ref("v1"))->bytes, three->bytes);
  EXPECT_EQ(ReadTop(Ref("v2"))->bytes, two->bytes);
  const auto which = ReadTop(Ref(""));
  ASSERT_FALSE(which.ok());
  EXPECT_EQ(which.error().code(), Errc::kNotFound);
  EXPECT_THAT(which.error().message(), HasSubstr("a tag is needed; there is v2, v1"));
  Reference by_digest = Ref("");
  by_digest.digest = one->digest();
  EXPECT_EQ(ReadTop(by_digest)->bytes, one->bytes);
}

TEST_F(LayoutDirTest, NamesTheTagsThereAreWhenThereIsNoSuchTag) {
  ASSERT_TRUE(Write("v1", "one", context_.ctx).ok());
  const auto missing = ReadTop(Ref("v9"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), Errc::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("no tag \"v9\"; there is v1"));
  EXPECT_TRUE(ReadTop(Ref("")).ok());
}

TEST_F(LayoutDirTest, IsNotFoundWhereThereIsNoLayout) {
  EXPECT_EQ(OpenLayoutDir(Ref(), context_.ctx).error().code(), Errc::kNotFound);
  fs::create_directory(dir_ / "layout");
  EXPECT_EQ(OpenLayoutDir(Ref(), context_.ctx).error().code(), Errc::kNotFound);
}

TEST_F(LayoutDirTest, DoesNotWriteIntoAFolderOfSomethingElse) {
  fs::create_directory(dir_ / "layout");
  std::ofstream(dir_ / "layout/precious") << "x";
  const auto destination = OpenLayoutDirForWriting(Ref(), context_.ctx);
  ASSERT_FALSE(destination.ok());
  EXPECT_EQ(destination.error().code(), Errc::kInvalid);
  EXPECT_EQ(*ListDir(dir_.fd(), "layout"), std::vector<std::string>{"precious"});
}

TEST_F(LayoutDirTest, FollowsNoSymbolicLinkInALayout) {  // row 118
  ASSERT_TRUE(Write("v1", "layer bytes", context_.ctx).ok());
  const Descriptor layer = DescriptorOf("layer bytes", "application/x");
  const auto fetch = [&] {
    auto source = OpenLayoutDir(Ref(), context_.ctx);
    EXPECT_TRUE(source.ok());
    return FetchSmallBlob(layer, 100, **source, context_.ctx);
  };
  fs::rename(BlobPath("layer bytes"), dir_ / "outside");
  fs::create_symlink(dir_ / "outside", BlobPath("layer bytes"));
  EXPECT_EQ(fetch().error().code(), Errc::kCorrupt);
  fs::remove(BlobPath("layer bytes"));
  fs::rename(dir_ / "outside", BlobPath("layer bytes"));
  ASSERT_TRUE(fetch().ok());
  fs::rename(dir_ / "layout/blobs", dir_ / "blobs");
  fs::create_directory_symlink(dir_ / "blobs", dir_ / "layout/blobs");
  EXPECT_FALSE(fetch().ok());
}

TEST_F(LayoutDirTest, RefusesAnIndexThatIsALink) {  // row 118
  ASSERT_TRUE(Write("v1", "layer bytes", context_.ctx).ok());
  fs::rename(dir_ / "layout/index.json", dir_ / "index.json");
  fs::create_symlink(dir_ / "index.json", dir_ / "layout/index.json");
  EXPECT_EQ(OpenLayoutDir(Ref(), context_.ctx).error().code(), Errc::kCorrupt);
}

TEST_F(LayoutDirTest, NeverWaitsForAFifo) {
  ASSERT_TRUE(Write("v1", "layer bytes", context_.ctx).ok());
  fs::remove(BlobPath("layer bytes"));
  ASSERT_EQ(::mkfifo(BlobPath("layer bytes").c_str(), 0600), 0);
  auto source = OpenLayoutDir(Ref(), context_.ctx);
  ASSERT_TRUE(source.ok());
  const auto got = FetchSmallBlob(DescriptorOf("layer bytes", "application/x"), 100, **source, context_.ctx);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), Errc::kCorrupt);
}

TEST_F(LayoutDirTest, VerifiesABlobLikeTheNetwork) {  // row 118
  const auto written = Write("v1", "layer bytes", context_.ctx);
  std::ofstream(BlobPath(written->bytes), std::ios::binary | std::ios::in) << "[";
  const auto top = ReadTop(Ref());
  ASSERT_FALSE(top.ok());
  EXPECT_EQ(top.error().code(), Errc::kCorrupt);
  EXPECT_THAT(top.error().message(), HasSubstr("the bytes have the digest"));
}

TEST_F(LayoutDirTest, WritesADamagedBlobAgain) {
  ASSERT_TRUE(Write("v1", "layer bytes", context_.ctx).ok());
  std::ofstream(BlobPath("layer bytes"), std::ios::binary | std::ios::in) << "L";
  auto destination = OpenLayoutDirForWriting(Ref(), context_.ctx);
  ASSERT_TRUE(destination.ok());
  const Descriptor layer = DescriptorOf("layer bytes", "application/x");
  EXPECT_FALSE(*(*destination)->HasBlob(layer, context_.ctx));
  ASSERT_TRUE(Write("v1", "layer bytes", context_.ctx).ok());
  EXPECT_TRUE(*(*destination)->HasBlob(layer, context_.ctx));
}

TEST_F(LayoutDirTest, RefusesToStoreBytesUnderAWrongDigest) {
  auto destination = OpenLayoutDirForWriting(Ref(), context_.ctx);
  ASSERT_TRUE(destination.ok());
  std::ofstream(dir_ / "blob") << "other";
  const UniqueFd file(::open((dir_ / "blob").c_str(), O_RDONLY | O_CLOEXEC));
  const Status put = (*destination)->PutBlob(DescriptorOf("layer", "application/x"), file.get(), context_.ctx);
  EXPECT_EQ(put.error().code(), Errc::kCorrupt);
  EXPECT_TRUE(ListDir(dir_.fd(), "layout/blobs/sha256")->empty());
}

TEST_F(LayoutDirTest, RefusesTwoImagesOfOneTag) {
  ASSERT_TRUE(Write("v1", "one", context_.ctx).ok());
  std::string index = *ReadFile(dir_.fd(), "layout/index.json", 1 << 20);
  const size_t start = index.find('[') + 1;
  const std::string entry = index.substr(start, index.rfind(']') - start);
  index.insert(start, entry + ",");
  std::ofstream(dir_ / "layout/index.json") << index;
  EXPECT_EQ(OpenLayoutDir(Ref(), context_.ctx).error().code(), Errc::kCorrupt);
}

TEST_F(LayoutDirTest, ShowsTheOldImageOrTheNewOneWhateverCallFails) {
  const auto old = Write("v1", "old", context_.ctx);
  ASSERT_TRUE(old.ok());
  std::optional<Document> fresh;
  const int calls = testing::ForEveryFailingCall(
      EIO, testing::FaultySyscalls::Which::kThatAndAllAfter,
      [&] {
        fs::remove_all(dir_ / "layout");
        ASSERT_TRUE(Write("v1", "old", context_.ctx).ok());
      },
      [&](Syscalls& sys) -> Status {
        OpContext ctx{context_.clock, context_.log, context_.progress, {}, sys};
        ASSIGN_OR_RETURN(fresh, Write("v1", "new", ctx));
        return Ok();
      },
      [&](const testing::FaultySyscalls& faulty, const Status& status) {
        const auto top = ReadTop(Ref());
        ASSERT_TRUE(top.ok()) << faulty.failed_call() << ": " << top.error().message();
        if (status.ok()) {
          EXPECT_EQ(top->bytes, fresh->bytes);
        }
        auto source = OpenLayoutDir(Ref(), context_.ctx);
        ASSERT_TRUE(source.ok());
        const std::string layer = top->bytes == old->bytes ? "old" : "new";
        EXPECT_TRUE(FetchSmallBlob(DescriptorOf(layer, "application/x"), 100, **source, context_.ctx).ok());
      });
  EXPECT_GT(calls, 10);
}

}  // namespace
}  // namespace hostapp

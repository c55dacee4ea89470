// SPDX-License-Identifier: Apache-2.0
// Spooling, small blobs and resolving, with a source that misbehaves as told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/blob.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using testing::FaultySyscalls;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::TestContext;

Descriptor DescriptorOf(std::string_view bytes, std::string_view type = "application/octet-stream") {
  return {.media_type = std::string(type),
          .digest = Digest::Of(AsBytes(bytes)),
          .size = bytes.size(),
          .annotations = {},
          .platform = {},
          .artifact_type = {}};
}

// Answers each request from a script: what the body is, and how it ends.
class ScriptedSource : public ImageSource {
 public:
  struct Answer {
    std::string body;  // of the whole blob; the request's offset is applied
    size_t stop_after = std::string::npos;
    Errc error = Errc::kUnavailable;
  };

  void Add(Answer answer) { answers_.push_back(std::move(answer)); }
  const std::vector<uint64_t>& offsets() const { return offsets_; }

  Status Fetch(const Descriptor&, uint64_t offset, ByteSink& sink, OpContext&) override {
    offsets_.push_back(offset);
    if (next_ == answers_.size()) return Error(Errc::kUnavailable, "nobody answers");
    const Answer& answer = answers_[next_++];
    const std::string_view body(answer.body);
    size_t sent = 0;
    for (size_t at = std::min<size_t>(offset, body.size()); at < body.size();) {
      const std::string_view piece = body.substr(at, std::min<size_t>(1000, answer.stop_after - sent));
      if (piece.empty()) break;
      TRY(sink.Write(AsBytes(piece)));
      at += piece.size();
      sent += piece.size();
    }
    if (answer.stop_after != std::string::npos) return Error(answer.error, "the connection broke");
    return Ok();
  }

  std::string top, top_type;
  std::map<std::string, std::string> manifests;
  Result<Document> FetchTop(OpContext&) override { return Document{top_type, top}; }
  Result<Document> FetchManifest(const Descriptor& descriptor, OpContext&) override {
    const auto found = manifests.find(descriptor.digest.ToString());
    if (found == manifests.end()) return Error(Errc::kNotFound, "no such manifest");
    return Document{"application/json", found->second};
  }

 private:
  std::vector<Answer> answers_;
  size_t next_ = 0;
  std::vector<uint64_t> offsets_;
};

class SpoolBlobTest : public ::testing::Test {
 protected:
  Result<SpooledBlob> Spool() { return SpoolBlob(dir_.fd(), blob_, source_, context_.ctx); }
  std::string PartName() const { return StrCat("sha256-", blob_.digest.Hex(), ".part"); }
  void WritePart(const std::string& bytes) { std::ofstream(dir_ / PartName(), std::ios::binary) << bytes; }
  std::vector<std::string> Names() { return *ListDir(dir_.fd(), "."); }

  static std::string ReadAll(int fd) {
    std::string out(1 << 20, '\0');
    const ssize_t got = ::read(fd, out.data(), out.size());
    out.resize(static_cast<size_t>(got));
    return out;
  }

  TempDir dir_;
  TestContext context_;
  ScriptedSource source_;
  std::string bytes_ = [] {
    std::string out;
    for (int i = 0; i < 10000; ++i) out += static_cast<char>(i * 7 % 251);
    return out;
  }();
  Descriptor blob_ = DescriptorOf(bytes_);
};

TEST_F(SpoolBlobTest, GivesTheVerifiedBytesAtTheirStart) {
  source_.Add({bytes_});
  const auto spooled = Spool();
  ASSERT_TRUE(spooled.ok()) << spooled.error().message();
  EXPECT_EQ(ReadAll(spooled->file.get()), bytes_);
  EXPECT_EQ(spooled->name, PartName());
  EXPECT_EQ(spooled->downloaded, bytes_.size());
}

TEST_F(SpoolBlobTest, GoesOnWhereTheConnectionBroke) {
  source_.Add({bytes_, 4321});
  const auto first = Spool();
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(first.error().code(), Errc::kUnavailable);
  EXPECT_EQ(Names(), std::vector<std::string>{PartName()});
  source_.Add({bytes_});
  const auto second = Spool();
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_EQ(source_.offsets(), (std::vector<uint64_t>{0, 4321}));
  EXPECT_EQ(second->downloaded, bytes_.size() - 4321);
  EXPECT_EQ(ReadAll(second->file.get()), bytes_);
}

// A web page of a captive portal, a 200 with another length: they say nothing about the bytes that are there.
TEST_F(SpoolBlobTest, KeepsThePartWhenTheSourceAnswersAgainstTheRules) {
  source_.Add({bytes_, 4321});
  ASSERT_FALSE(Spool().ok());
  source_.Add({bytes_, 0, Errc::kCorrupt});
  source_.Add({bytes_, 1000, Errc::kCorrupt});
  const auto second = Spool();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Errc::kCorrupt);
  EXPECT_EQ(Names(), std::vector<std::string>{PartName()});
  source_.Add({bytes_, 0, Errc::kCorrupt});
  source_.Add({bytes_});
  const auto third = Spool();
  ASSERT_TRUE(third.ok()) << third.error().message();
  EXPECT_EQ(source_.offsets(), (std::vector<uint64_t>{0, 4321, 4321, 5321, 5321}));
  EXPECT_EQ(third->downloaded, bytes_.size() - 5321);
  EXPECT_EQ(ReadAll(third->file.get()), bytes_);
}

TEST_F(SpoolBlobTest, AsksForNothingWhenTheBlobIsThere) {
  WritePart(bytes_);
  const auto spooled = Spool();
  ASSERT_TRUE(spooled.ok()) << spooled.error().message();
  EXPECT_TRUE(source_.offsets().empty());
  EXPECT_EQ(spooled->downloaded, 0u);
}

TEST_F(SpoolBlobTest, ThrowsAPartAwayThatTurnsOutWrong) {
  std::string wrong = bytes_.substr(0, 5000);
  wrong[17] ^= 1;
  WritePart(wrong);
  source_.Add({bytes_});
  source_.Add({bytes_});
  const auto spooled = Spool();
  ASSERT_TRUE(spooled.ok()) << spooled.error().message();
  EXPECT_EQ(source_.offsets(), (std::vector<uint64_t>{5000, 0}));
  EXPECT_EQ(ReadAll(spooled->file.get()), bytes_);
}

TEST_F(SpoolBlobTest, ThrowsAPartAwayThatIsTooLong) {
  WritePart(bytes_ + "x");
  source_.Add({bytes_});
  ASSERT_TRUE(Spool().ok());
  EXPECT_EQ(source_.offsets(), (std::vector<uint64_t>{0}));
}

// Rows 59, 60: each kind of wrong body, twice; the second time is the last.
TEST_F(SpoolBlobTest, RefusesWrongBytesAfterOneMoreTryAndLeavesNothing) {
  std::string flipped = bytes_;
  flipped[9999] ^= 1;
  for (const std::string& body : {flipped, bytes_ + "x", bytes_ + bytes_, bytes_.substr(0, 9999), std::string()}) {
    ScriptedSource source;
    source.Add({body});
    source.Add({body});
    source.Add({bytes_});
    const auto spooled = SpoolBlob(dir_.fd(), blob_, source, context_.ctx);
    ASSERT_FALSE(spooled.ok());
    EXPECT_EQ(spooled.error().code(), Errc::kCorrupt);
    EXPECT_TRUE(spooled.error().message().starts_with(blob_.digest.ToString())) << spooled.error().message();
    EXPECT_EQ(source.offsets().size(), 2u);
    EXPECT_TRUE(Names().empty());
  }
}

TEST_F(SpoolBlobTest, ForgivesOneWrongAnswer) {  // row 59
  source_.Add({std::string(bytes_.size(), 'x')});
  source_.Add({bytes_});
  const auto spooled = Spool();
  ASSERT_TRUE(spooled.ok()) << spooled.error().message();
  EXPECT_EQ(ReadAll(spooled->file.get()), bytes_);
}

TEST_F(SpoolBlobTest, StopsAtTheFirstByteTooMany) {  // row 60
  source_.Add({bytes_ + std::string(1 << 20, 'x')});
  source_.Add({bytes_, 1});
  const auto spooled = Spool();
  ASSERT_FALSE(spooled.ok());
  EXPECT_EQ(spooled.error().code(), Errc::kUnavailable);
}

TEST_F(SpoolBlobTest, SpoolsAnEmptyBlobWithoutARequest) {
  bytes_.clear();
  blob_ = DescriptorOf("");
  ASSERT_TRUE(Spool().ok());
  EXPECT_TRUE(source_.offsets().empty());
}

TEST_F(SpoolBlobTest, StopsWhenAskedToAndKeepsWhatItHas) {
  context_.ctx.cancel.Cancel();
  WritePart(bytes_.substr(0, 100));
  source_.Add({bytes_});
  const auto spooled = Spool();
  ASSERT_FALSE(spooled.ok());
  EXPECT_EQ(spooled.error().code(), Errc::kCancelled);
  EXPECT_EQ(Names(), std::vector<std::string>{PartName()});
}

TEST_F(SpoolBlobTest, DoesNotShareAPartWithAnotherFetch) {
  source_.Add({bytes_});
  const auto first = Spool();
  ASSERT_TRUE(first.ok());
  const auto second = Spool();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Errc::kBusy);
}

TEST_F(SpoolBlobTest, DoesNotFollowALinkOfThePartsName) {
  ASSERT_EQ(::symlink("/etc/passwd", (dir_ / PartName()).c_str()), 0);
  source_.Add({bytes_});
  EXPECT_FALSE(Spool().ok());
  EXPECT_TRUE(source_.offsets().empty());
}

TEST_F(SpoolBlobTest, GivesTheDiskBackWhenItIsFull) {
  FaultySyscalls faulty(3, ENOSPC, FaultySyscalls::Which::kOnlyThat);
  OpContext ctx{context_.clock, context_.log, context_.progress, {}, faulty};
  source_.Add({bytes_});
  const auto spooled = SpoolBlob(dir_.fd(), blob_, source_, ctx);
  ASSERT_FALSE(spooled.ok());
  EXPECT_EQ(spooled.error().code(), Errc::kNoSpace);
  EXPECT_TRUE(Names().empty());
}

TEST_F(SpoolBlobTest, ConvergesAfterAFailureOfAnyCall) {
  for (int n = 1; n < 40; ++n) {
    TempDir dir;
    FaultySyscalls faulty(n, EIO, FaultySyscalls::Which::kThatAndAllAfter);
    OpContext ctx{context_.clock, context_.log, context_.progress, {}, faulty};
    ScriptedSource source;
    for (int i = 0; i < 4; ++i) source.Add({bytes_});
    const auto first = SpoolBlob(dir.fd(), blob_, source, ctx);
    EXPECT_EQ(first.ok(), !faulty.failed());
    if (first.ok()) return;
    const auto second = SpoolBlob(dir.fd(), blob_, source, context_.ctx);
    ASSERT_TRUE(second.ok()) << n << ": " << second.error().message();
    EXPECT_EQ(ReadAll(second->file.get()), bytes_);
  }
  FAIL() << "never ran through";
}

TEST_F(SpoolBlobTest, FetchesSmallBlobsWholeOrNotAtAll) {
  source_.Add({"wrong"});
  source_.Add({bytes_});
  const auto text = FetchSmallBlob(blob_, 1 << 20, source_, context_.ctx);
  ASSERT_TRUE(text.ok()) << text.error().message();
  EXPECT_EQ(*text, bytes_);
  source_.Add({bytes_ + "x"});
  source_.Add({bytes_ + "x"});
  EXPECT_EQ(FetchSmallBlob(blob_, 1 << 20, source_, context_.ctx).error().code(), Errc::kCorrupt);
  const size_t requests = source_.offsets().size();
  EXPECT_EQ(FetchSmallBlob(blob_, 9999, source_, context_.ctx).error().code(), Errc::kCorrupt);
  EXPECT_EQ(source_.offsets().size(), requests);
}

constexpr char kConfigAndLayers[] =
    R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1},"layers":[])";

class ResolveImageTest : public ::testing::Test {
 protected:
  std::string AddManifest() {
    const std::string text = StrCat(R"({"schemaVersion":2,)", kConfigAndLayers, "}");
    source_.manifests[Digest::Of(AsBytes(text)).ToString()] = text;
    return text;
  }
  // An index of one entry.
  std::string AddIndex(const std::string& of, std::string_view type, std::string_view architecture = "amd64") {
    Descriptor entry = DescriptorOf(of, type);
    entry.platform = {.os = "linux", .architecture = std::string(architecture), .variant = {}, .os_features = {}};
    const std::string text = Json(Json::Object{{"schemaVersion", 2}, {"manifests", Json::Array{ToJson(entry)}}}).Dump();
    source_.manifests[Digest::Of(AsBytes(text)).ToString()] = text;
    return text;
  }
  Result<ResolvedImage> Resolve(const std::string& reference = "r.example/os") {
    const Platform platform{.os = "linux", .architecture = "amd64", .variant = {}, .os_features = {}};
    return ResolveImage(*ParseReference(reference), source_, platform, context_.ctx);
  }

  ScriptedSource source_;
  TestContext context_;
};

TEST_F(ResolveImageTest, FollowsTwoIndexesAndKeepsTheTopDigest) {
  const std::string manifest = AddManifest();
  const std::string inner = AddIndex(manifest, media_type::kOciManifest);
  source_.top = AddIndex(inner, media_type::kOciIndex);
  const auto image = Resolve();
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->manifest.digest, Digest::Of(AsBytes(manifest)));
  EXPECT_EQ(image->manifest.document.bytes, manifest);
  EXPECT_EQ(image->top_digest, Digest::Of(AsBytes(source_.top)));
}

TEST_F(ResolveImageTest, RefusesAThirdIndex) {  // row 77
  const std::string manifest = AddManifest();
  std::string top = AddIndex(manifest, media_type::kOciManifest);
  for (int i = 0; i < 2; ++i) top = AddIndex(top, media_type::kOciIndex);
  source_.top = top;
  const auto image = Resolve();
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code(), Errc::kCorrupt);
  EXPECT_THAT(image.error().message(), HasSubstr("indexes nested deeper than 2"));
}

TEST_F(ResolveImageTest, RefusesBytesOfAnotherDigest) {  // row 64
  source_.top = AddManifest();
  const auto image = Resolve("r.example/os@sha256:" + std::string(64, 'b'));
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code(), Errc::kCorrupt);
  EXPECT_THAT(image.error().message(), HasSubstr("has the digest sha256:"));
}

TEST_F(ResolveImageTest, RefusesAManifestThatIsNotWhatTheIndexNamed) {  // row 64
  const std::string manifest = AddManifest();
  source_.top = AddIndex(manifest, media_type::kOciManifest);
  source_.manifests[Digest::Of(AsBytes(manifest)).ToString()] = manifest + " ";
  EXPECT_EQ(Resolve().error().code(), Errc::kCorrupt);
  std::string same_length = manifest;
  same_length[same_length.find(":1")] = ' ';
  source_.manifests[Digest::Of(AsBytes(manifest)).ToString()] = same_length;
  EXPECT_EQ(Resolve().error().code(), Errc::kCorrupt);
}

TEST_F(ResolveImageTest, RefusesAManifestThatTheIndexCallsAnIndex) {  // row 70
  source_.top = AddIndex(AddManifest(), media_type::kOciIndex);
  EXPECT_EQ(Resolve().error().code(), Errc::kCorrupt);
}

TEST_F(ResolveImageTest, SaysWhatThereIsWhenNothingFits) {
  source_.top = AddIndex(AddManifest(), media_type::kOciManifest, "s390x");
  const auto image = Resolve();
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code(), Errc::kNotFound);
  EXPECT_THAT(image.error().message(), HasSubstr("there is linux/s390x"));
}

}  // namespace
}  // namespace hostapp

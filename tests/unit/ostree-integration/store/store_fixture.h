// SPDX-License-Identifier: Apache-2.0
// A store in a folder of its own, and images made of tars by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hostapp/layer/compression.h"
#include "hostapp/oci/blob.h"
#include "ostree-integration/store/check.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"
#include "ostree-integration/store/prune.h"
#include "tests/support/tar_bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp::testing {

class StringSink : public ByteSink {
 public:
  Status Write(ByteSpan bytes) override {
    text.append(AsText(bytes));
    return Ok();
  }
  std::string text;
};

// Blobs from memory; counts what is asked for.
class MapSource : public BlobSource {
 public:
  Status Fetch(const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx) override {
    TRY(ctx.cancel.Check());
    {
      const std::lock_guard lock(mutex_);
      ++fetches_;
    }
    const auto found = blobs.find(blob.digest);
    if (found == blobs.end()) return Error(Errc::kNotFound, StrCat("no blob ", blob.digest.ToString()));
    return sink.Write(AsBytes(std::string_view(found->second).substr(std::min<size_t>(offset, found->second.size()))));
  }
  int fetches() const { return fetches_; }

  std::map<Digest, std::string> blobs;

 private:
  std::mutex mutex_;
  int fetches_ = 0;
};

struct TestImage {
  Manifest manifest;
  ImageConfig config;
  std::shared_ptr<MapSource> source;
};

inline std::string Compressed(const std::string& tar, Compression compression) {
  if (compression == Compression::kNone) return tar;
  StringSink out;
  auto sink = Compress(compression, 1, out);
  CHECK(sink.ok());
  CHECK((*sink)->Write(AsBytes(tar)).ok());
  CHECK((*sink)->Finish().ok());
  return out.text;
}

struct ImageOptions {
  Compression compression = Compression::kGzip;
  std::string version = "1.0";
  std::map<size_t, Digest> wrong_diff_ids;  // by layer
};

// {"mediaType":…,"digest":…,"size":…}
inline std::string DescriptorText(std::string_view media_type, const std::string& bytes) {
  return StrCat("{\"mediaType\":\"", media_type, "\",\"digest\":\"", Digest::Of(AsBytes(bytes)).ToString(),
                "\",\"size\":", bytes.size(), "}");
}

inline TestImage MakeImage(const std::vector<std::string>& tars, const ImageOptions& options = {}) {
  auto source = std::make_shared<MapSource>();
  std::vector<std::string> layers;
  std::vector<std::string> diff_ids;
  constexpr std::string_view kTypes[] = {media_type::kOciLayerTar, media_type::kOciLayerGzip,
                                         media_type::kOciLayerZstd};
  for (size_t i = 0; i < tars.size(); ++i) {
    const std::string blob = Compressed(tars[i], options.compression);
    source->blobs.emplace(Digest::Of(AsBytes(blob)), blob);
    layers.push_back(DescriptorText(kTypes[static_cast<int>(options.compression)], blob));
    const auto wrong = options.wrong_diff_ids.find(i);
    const Digest diff_id = wrong == options.wrong_diff_ids.end() ? Digest::Of(AsBytes(tars[i])) : wrong->second;
    diff_ids.push_back(StrCat("\"", diff_id.ToString(), "\""));
  }
  const std::string config =
      StrCat("{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\",",
             "\"config\":{\"Labels\":{\"", kVersionLabel, "\":\"", options.version, "\"}},",
             "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", Join(diff_ids, ","), "]}}");
  const std::string manifest = StrCat("{\"schemaVersion\":2,\"mediaType\":\"", media_type::kOciManifest,
                                      "\",\"config\":", DescriptorText(media_type::kOciConfig, config), ",\"layers\":[",
                                      Join(layers, ","), "]}");
  auto parsed = ParseManifest({std::string(media_type::kOciManifest), manifest});
  CHECK(parsed.ok());
  auto parsed_config = ParseImageConfig(config, tars.size());
  CHECK(parsed_config.ok());
  return {std::move(parsed).value(), std::move(parsed_config).value(), source};
}

// Objects get the owners that the image says, which takes root.
class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: objects have the owners that images say";
    auto store = ImageStore::Create(dir_.fd(), context_.ctx);
    ASSERT_TRUE(store.ok()) << store.error().message();
    store_ = std::make_unique<ImageStore>(std::move(store).value());
  }

  OpContext& ctx() { return context_.ctx; }
  ImageStore& store() { return *store_; }
  std::string Repo() const { return dir_ / "ostree/repo"; }

  Result<ImportReport> Import(const TestImage& image) {
    return ImportImage(store(), image.manifest, image.config, *image.source, ctx());
  }
  Result<std::string> Pull(const TestImage& image) {
    TRY(Import(image).status());
    return MergeImage(store(), image.manifest, image.config, ctx());
  }
  // What a program says, and whether it ended well.
  static std::pair<int, std::string> Run(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    CHECK(pipe != nullptr);
    char buffer[4096];
    for (size_t got = 0; (got = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, got);
    return {::pclose(pipe), out};
  }
  // `ostree fsck` is another program's word for it.
  void ExpectOstreeFsckClean() {
    const auto [status, out] = Run("timeout 60 ostree fsck --repo=" + Repo());
    EXPECT_EQ(status, 0) << out;
  }
  // Every file below the store with its content's digest: two listings are equal when nothing has changed.
  std::string Snapshot() const {
    return Run("cd " + dir_.path() + " && find . -not -name .lock -printf '%P %y %s %m\\n' | sort").second;
  }

  TempDir dir_;
  TestContext context_;
  std::unique_ptr<ImageStore> store_;
};

// ASSERT_OK(x): x's error is the test's message.
#define ASSERT_OK(expression)                                             \
  do {                                                                    \
    const auto& hostapp_result = (expression);                            \
    ASSERT_TRUE(hostapp_result.ok()) << hostapp_result.error().message(); \
  } while (false)

}  // namespace hostapp::testing

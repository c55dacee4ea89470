// SPDX-License-Identifier: Apache-2.0
// Images made of tars by hand, and a source that has their blobs in memory.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hostapp/base/sinks.h"
#include "hostapp/layer/compression.h"
#include "hostapp/oci/blob.h"
#include "hostapp/oci/image_config.h"

namespace hostapp::testing {

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

}  // namespace hostapp::testing

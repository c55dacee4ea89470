// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tiny_image.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "hostapp/base/check.h"
#include "hostapp/base/hash.h"
#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "tests/support/tar_bytes.h"

namespace hostapp::testing {
namespace {

#if defined(__aarch64__)
constexpr const char* kArchitecture = "arm64";
#else
constexpr const char* kArchitecture = "amd64";
#endif

std::string DigestText(std::string_view bytes) { return StrCat("sha256:", HashOf(AsBytes(bytes)).Hex()); }

void WriteBytes(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  CHECK(file.good());
}

Json::Object PutBlob(const std::string& dir, std::string_view bytes, const char* media_type) {
  const std::string digest = DigestText(bytes);
  WriteBytes(StrCat(dir, "/blobs/sha256/", digest.substr(7)), bytes);
  return {{"mediaType", media_type}, {"digest", digest}, {"size", static_cast<int64_t>(bytes.size())}};
}

std::string ConfigJson(const std::vector<std::string>& layer_tars, const std::string& version) {
  Json::Array diff_ids;
  for (const std::string& tar : layer_tars) diff_ids.emplace_back(DigestText(tar));
  return Json(Json::Object{
                  {"architecture", kArchitecture},
                  {"os", "linux"},
                  {"created", "2026-01-02T03:04:05Z"},
                  {"config", Json::Object{{"Labels", Json::Object{{"org.opencontainers.image.version", version}}}}},
                  {"rootfs", Json::Object{{"type", "layers"}, {"diff_ids", diff_ids}}},
              })
      .Dump();
}

// The index's other tags stay.
void PutInIndex(const std::string& dir, const std::string& tag, Json::Object descriptor) {
  const std::string path = dir + "/index.json";
  Json::Array manifests;
  if (std::ifstream old(path); old.good()) {
    const std::string text{std::istreambuf_iterator<char>(old), std::istreambuf_iterator<char>()};
    const Json index = ParseJson(text, path).value();
    for (const Json& entry : *index.AsObject()->at("manifests").AsArray()) {
      const Json::Object& annotations = *entry.AsObject()->at("annotations").AsObject();
      if (*annotations.at("org.opencontainers.image.ref.name").AsString() != tag) manifests.push_back(entry);
    }
  }
  descriptor["annotations"] = Json::Object{{"org.opencontainers.image.ref.name", tag}};
  manifests.emplace_back(std::move(descriptor));
  const Json index = Json::Object{{"schemaVersion", 2}, {"manifests", manifests}};
  WriteBytes(path, index.Dump());
}

}  // namespace

std::string TinyKernel() {
  std::string kernel(8192, '\0');
  kernel.replace(0x202, 4, "HdrS");
  kernel.replace(0x38, 4, "ARM\x64");
  return kernel;
}

std::string TinyBaseLayer(const TinyImage& image) {
  TarBytes tar;
  for (const char* dir : {"usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib/modules", "usr/lib/bootc",
                          "usr/lib/bootc/kargs.d", "usr/share", "etc", "etc/ssl", "var", "var/lib", "boot"}) {
    tar.Dir(std::string(dir) + "/");
  }
  tar.Symlink("bin", "usr/bin").Symlink("sbin", "usr/sbin").Symlink("lib", "usr/lib");
  if (!image.kernel_version.empty()) {
    const std::string modules = "usr/lib/modules/" + image.kernel_version;
    tar.Dir(modules + "/").File(modules + "/vmlinuz", image.kernel.empty() ? TinyKernel() : image.kernel);
    if (!image.built_in.empty()) tar.File(modules + "/modules.builtin", image.built_in);
  }
  if (image.has_init) tar.File("usr/sbin/init", "#!/bin/sh\n", {.mode = "0000755"});
  tar.File("usr/bin/tool", "#!/bin/sh\nexit 0\n", {.mode = "0000755"}).Hardlink("usr/bin/same-tool", "usr/bin/tool");
  tar.File("usr/lib/bootc/kargs.d/10-tiny.toml", "kargs = [\"quiet\"]\n");
  tar.File("usr/share/empty", "").File("usr/share/large", std::string(100000, 'x'));
  tar.File("etc/hostname", "tiny\n").File("etc/ssl/ca.pem", "certificates\n", {.mode = "0000600"});
  return tar.End();
}

std::string TinyTopLayer(const TinyImage& image) {
  TarBytes tar;
  tar.Dir("usr/").Dir("usr/share/").Dir("etc/");
  tar.File("usr/share/release", image.release).File("etc/release", image.release + "\n");
  if (!image.kernel_version.empty()) {
    const std::string modules = "usr/lib/modules/" + image.kernel_version;
    tar.Dir("usr/lib/").Dir("usr/lib/modules/").Dir(modules + "/").File(modules + "/initramfs.img", image.initramfs);
  }
  for (const auto& [path, content] : image.more_files) {
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      tar.Dir(path.substr(0, slash + 1));
    }
    tar.File(path, content, {.mode = "0000755"});
  }
  return tar.End();
}

std::string WriteTinyImage(const std::string& dir, const std::string& tag, const TinyImage& image) {
  return WriteImage(dir, tag, {TinyBaseLayer(image), TinyTopLayer(image)}, image.release);
}

std::string WriteImage(const std::string& dir, const std::string& tag, const std::vector<std::string>& layer_tars,
                       const std::string& version,
                       const std::vector<std::pair<std::string, std::string>>& manifest_annotations) {
  std::filesystem::create_directories(dir + "/blobs/sha256");
  WriteBytes(dir + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  Json::Array layers;
  for (const std::string& tar : layer_tars) {
    layers.emplace_back(PutBlob(dir, tar, "application/vnd.oci.image.layer.v1.tar"));
  }
  Json::Object annotations;
  for (const auto& [key, value] : manifest_annotations) annotations[key] = value;
  const Json manifest = Json::Object{
      {"schemaVersion", 2},
      {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
      {"config", PutBlob(dir, ConfigJson(layer_tars, version), "application/vnd.oci.image.config.v1+json")},
      {"layers", layers},
      {"annotations", annotations},
  };
  const std::string bytes = manifest.Dump();
  PutInIndex(dir, tag, PutBlob(dir, bytes, "application/vnd.oci.image.manifest.v1+json"));
  return DigestText(bytes);
}

}  // namespace hostapp::testing

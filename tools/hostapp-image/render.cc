// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp-image/render.h"

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/fat_writer.h"
#include "ostree-integration/sysroot/deployment.h"
#include "tools/cli/table.h"

namespace hostapp::cli {
namespace {

Json::Object TextMap(const Annotations& texts) {
  Json::Object object;
  for (const auto& [name, value] : texts) object.emplace(name, value);
  return object;
}

// What the image's label says; another image's kernel is known once its layers are read.
std::optional<std::string> Kernel(const ImageConfig& config) {
  const auto found = config.labels.find(kKernelLabel);
  if (found == config.labels.end()) return std::nullopt;
  return found->second;
}

uint64_t DownloadBytes(const Manifest& manifest) {
  uint64_t bytes = 0;
  for (const Descriptor& layer : manifest.layers) bytes += layer.size;
  return bytes;
}

Json LayerDocument(const Descriptor& layer, const Digest& diff_id) {
  return Json::Object{{"digest", layer.digest.ToString()},
                      {"diff_id", diff_id.ToString()},
                      {"media_type", layer.media_type},
                      {"size", layer.size},
                      {"annotations", TextMap(layer.annotations)}};
}

Json InspectDocument(const InspectedImage& image) {
  Json::Array layers;
  for (size_t i = 0; i < image.manifest.layers.size(); ++i) {
    layers.push_back(LayerDocument(image.manifest.layers[i], image.config.diff_ids[i]));
  }
  const std::optional<int64_t> created = image.config.created;
  return Json::Object{{"digest", image.top_digest.ToString()},
                      {"manifest", Json::Object{{"digest", image.manifest.digest.ToString()},
                                                {"media_type", image.manifest.document.media_type},
                                                {"annotations", TextMap(image.manifest.annotations)}}},
                      {"config", Json::Object{{"digest", image.manifest.config.digest.ToString()},
                                              {"size", image.manifest.config.size},
                                              {"labels", TextMap(image.config.labels)}}},
                      {"platform", image.config.platform.ToString()},
                      {"created", created ? Json(FormatTime(*created)) : Json()},
                      {"version", image.config.version()},
                      {"kernel", Kernel(image.config)},
                      {"layers", std::move(layers)},
                      {"bytes", DownloadBytes(image.manifest)}};
}

std::string InspectText(const InspectedImage& image) {
  const auto line = [](std::string_view name, std::string_view value) {
    return std::vector<std::string>{std::string(name), value.empty() ? "unknown" : Escape(value)};
  };
  std::vector<std::vector<std::string>> rows;
  if (image.top_digest != image.manifest.digest) rows.push_back(line("index", image.top_digest.ToString()));
  rows.push_back(line("manifest", image.manifest.digest.ToString()));
  rows.push_back(line("config", image.manifest.config.digest.ToString()));
  rows.push_back(line("platform", image.config.platform.ToString()));
  rows.push_back(line("version", image.config.version().value_or("")));
  rows.push_back(line("kernel", Kernel(image.config).value_or("")));
  rows.push_back(line("created", image.config.created ? FormatTime(*image.config.created) : ""));
  rows.push_back(line("to download", HumanBytes(DownloadBytes(image.manifest))));
  std::string text = Table(rows) + "\n";
  std::vector<std::vector<std::string>> layers = {{"LAYER", "SIZE", "MEDIA TYPE"}};
  for (const Descriptor& layer : image.manifest.layers) {
    layers.push_back({layer.digest.ToString(), HumanBytes(layer.size), Escape(layer.media_type)});
  }
  return text + Table(layers);
}

}  // namespace

Outcome RenderPack(const PackResult& result, const Reference& destination) {
  Json::Array layers, dropped;
  uint64_t compressed = 0, uncompressed = 0;
  for (const PackedLayer& layer : result.layers) {
    layers.push_back(Json::Object{{"digest", layer.descriptor.digest.ToString()},
                                  {"diff_id", layer.diff_id.ToString()},
                                  {"size", layer.descriptor.size},
                                  {"uncompressed_size", layer.uncompressed_bytes},
                                  {"members", layer.members},
                                  {"comment", layer.comment}});
    compressed += layer.descriptor.size;
    uncompressed += layer.uncompressed_bytes;
  }
  for (const std::string& path : result.dropped) dropped.push_back(path);
  const std::string digest = result.manifest.digest.ToString();
  const size_t count = result.layers.size();
  std::string text = StrCat("packed ", result.members, " paths as ", Escape(destination.ToString()), "\n", digest, "\n",
                            count, count == 1 ? " new layer, " : " new layers, ", HumanBytes(uncompressed),
                            ", compressed ", HumanBytes(compressed), "\n");
  return {.document = Json::Object{{"reference", destination.ToString()},
                                   {"manifest_digest", digest},
                                   {"layers", std::move(layers)},
                                   {"members", result.members},
                                   {"dropped", std::move(dropped)}},
          .text = std::move(text)};
}

Outcome RenderCopy(const CopyReport& report, const Reference& destination) {
  const std::string digest = report.digest.ToString();
  std::string text =
      StrCat("copied to ", Escape(destination.ToString()), "\n", digest, "\n", "sent ", report.blobs_sent, " blobs, ",
             HumanBytes(report.bytes_sent), "; the other side had ", report.blobs_reused, "\n");
  return {
      .document =
          Json::Object{{"reference", destination.ToString()},
                       {"digest", digest},
                       {"manifests", report.manifests},
                       {"blobs", Json::Object{{"sent", report.blobs_sent}, {"reused", report.blobs_reused}}},
                       {"bytes", Json::Object{{"downloaded", report.bytes_downloaded}, {"sent", report.bytes_sent}}}},
      .text = std::move(text)};
}

// As blkid(8) prints it; nothing where there is no file system.
Json FileSystemUuid(const PlannedPartition& planned) {
  switch (planned.file_system) {
    case FileSystem::kExt4:
      return Json(planned.uuid.ToString());
    case FileSystem::kFat:
      return Json(FatUuid(FatSerial(planned.uuid)));
    case FileSystem::kNone:
      break;
  }
  return Json();
}

Outcome RenderDisk(const DiskReport& report, const std::string& file) {
  const std::string digest = report.manifest_digest.ToString();
  Json::Array partitions;
  std::string text = StrCat("made ", Escape(file), ", a disk of ", HumanBytes(report.plan.bytes), " (",
                            HumanBytes(report.allocated_bytes), " on this one)\n", digest, "\n");
  if (!report.root.reason.empty()) text += StrCat(report.root.reason, "\n");
  for (size_t i = 0; i < report.plan.partitions.size(); ++i) {
    const GptPartition& partition = report.plan.partitions[i].partition;
    partitions.push_back(Json::Object{{"name", partition.name},
                                      {"type", partition.type.ToString()},
                                      {"partuuid", partition.id.ToString()},
                                      {"uuid", FileSystemUuid(report.plan.partitions[i])},
                                      {"offset", partition.offset},
                                      {"bytes", partition.bytes}});
    text += StrCat("partition ", i + 1, ": ", partition.name, ", ", HumanBytes(partition.bytes),
                   ", PARTUUID=", partition.id.ToString(), "\n");
  }
  return {.document =
              Json::Object{{"file", file},
                           {"manifest_digest", digest},
                           {"serial", report.serial},
                           {"root", RootName(report.root.kind)},
                           {"root_reason", report.root.reason.empty() ? Json() : Json(report.root.reason)},
                           {"loader", LoaderName(report.loader)},
                           {"bytes", Json::Object{{"disk", report.plan.bytes}, {"allocated", report.allocated_bytes}}},
                           {"partitions", std::move(partitions)}},
          .text = std::move(text)};
}

Outcome RenderInspect(const InspectedImage& image) {
  return {.document = InspectDocument(image), .text = InspectText(image), .kind = Outcome::Kind::kAnswer};
}

Outcome RenderComposefsDigest(const ComposefsDigest& digest) {
  return {.document = Json::Object{{"manifest_digest",
                                    digest.manifest_digest ? Json(digest.manifest_digest->ToString()) : Json()},
                                   {"composefs_digest", digest.digest.Hex()},
                                   {"format", uint64_t{digest.format}},
                                   {"bytes", digest.bytes}},
          .text = StrCat(digest.digest.Hex(), "\n"),
          .kind = Outcome::Kind::kAnswer};
}

}  // namespace hostapp::cli

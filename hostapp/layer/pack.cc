// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/pack.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/clock.h"
#include "hostapp/base/durable.h"
#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/base_image.h"
#include "hostapp/layer/boot_files.h"
#include "hostapp/layer/layer_plan.h"
#include "hostapp/layer/layer_rules.h"
#include "hostapp/layer/rootfs_tree.h"
#include "hostapp/layer/tar_writer.h"
#include "hostapp/oci/annotations.h"
#include "hostapp/oci/image_config.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

constexpr int kDefaultLevel = 6;
constexpr size_t kPackChunk = size_t{256} << 10;

// Four compress about as fast as one thread reads and hashes (a Debian: 5.6 s of
// compressing, 1.4 s of the rest).
int CompressingThreads(const OpContext& ctx) { return static_cast<int>(std::clamp(ctx.jobs, 1U, 4U)); }

// Passes bytes on, and knows their hash and number.
class CountingSink : public ByteSink {
 public:
  explicit CountingSink(ByteSink& next) : next_(next) {}
  Status Write(ByteSpan bytes) override {
    hasher_.Update(bytes);
    size_ += bytes.size();
    return next_.Write(bytes);
  }
  Digest digest() { return Digest(hasher_.Finish()); }
  uint64_t size() const { return size_; }

 private:
  ByteSink& next_;
  Hasher hasher_;
  uint64_t size_ = 0;
};

std::string_view LayerType(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return media_type::kOciLayerTar;
    case Compression::kGzip:
      return media_type::kOciLayerGzip;
    case Compression::kZstd:
      return media_type::kOciLayerZstd;
  }
  return media_type::kOciLayerTar;
}

Result<UniqueFd> OpenTemporary(const std::string& folder) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return file;
  std::string name = StrCat(folder, "/hostapp-pack-XXXXXX");
  file.Reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.valid()) return SysError(errno, StrCat("making a file in ", Escape(folder)));
  ::unlink(name.c_str());
  return file;
}

Descriptor DescriptorOf(std::string_view type, const Digest& digest, uint64_t size) {
  return {.media_type = std::string(type),
          .digest = digest,
          .size = size,
          .annotations = {},
          .platform = {},
          .artifact_type = {}};
}

class Packer {
 public:
  Packer(const PackOptions& options, ImageDestination& destination, OpContext& ctx)
      : options_(options), destination_(destination), ctx_(ctx) {}

  Result<PackResult> Run() {
    ASSIGN_OR_RETURN(tree_, ReadTree());
    TRY(CheckTree());
    ClampTimes();
    result_.members = tree_.paths.size();
    result_.dropped = tree_.dropped;
    for (const auto& [path, inode] : tree_.paths) {
      total_ += inode->entry.size;
      if (IsBootFile(path)) boot_bytes_ += inode->entry.size;
      if (const auto version = KernelVersionOf(path)) kernel_ = *version;
    }
    if (options_.base) {
      ASSIGN_OR_RETURN(base_, ReadBaseImage(options_.base->reference, *options_.base->source, options_.platform,
                                            options_.temp_dir, destination_, ctx_));
    }
    ASSIGN_OR_RETURN(std::vector<PlannedLayer> plan, PlanLayers(tree_, options_.layers));
    if (base_) {
      TRY(KeepOnlyChanges(*base_, tree_, plan).While("comparing with ", Escape(options_.base->reference.ToString())));
    }
    for (const PlannedLayer& layer : plan) TRY(WriteLayer(layer).While("writing the layer \"", layer.comment, "\""));
    TRY(WriteConfigAndManifest());
    TRY(destination_.Commit(ctx_));
    return std::move(result_);
  }

 private:
  Result<RootfsTree> ReadTree() {
    struct stat info {};
    if (::stat(options_.rootfs.c_str(), &info) != 0) {
      return SysError(errno, StrCat("reading the root file system ", Escape(options_.rootfs)));
    }
    if (S_ISDIR(info.st_mode)) return ReadRootfsDir(options_.rootfs, ctx_);
    return ReadRootfsTar(options_.rootfs, options_.temp_dir, ctx_);
  }

  Status CheckTree() const {
    for (const auto& [path, inode] : tree_.paths) {
      TarEntry named;
      named.path = path;
      named.type = inode->entry.type;
      named.link_target = inode->entry.link_target;
      TRY(CheckHostEntry(named));
    }
    return Ok();
  }

  void ClampTimes() {
    int64_t newest = 0;
    for (const auto& [path, inode] : tree_.paths) {
      int64_t& mtime = inode->entry.mtime;
      if (options_.source_date_epoch) mtime = std::min(mtime, std::max<int64_t>(0, *options_.source_date_epoch));
      newest = std::max(newest, mtime);
    }
    created_ = options_.source_date_epoch.value_or(newest);
  }

  Status WriteLayer(const PlannedLayer& layer) {
    if (layer.members.empty()) return Ok();
    ASSIGN_OR_RETURN(const UniqueFd file, OpenTemporary(options_.temp_dir));
    FileSink to_file(file.get(), ctx_.sys);
    CountingSink compressed(to_file);
    const int level = options_.level == 0 ? kDefaultLevel : options_.level;
    ASSIGN_OR_RETURN(const auto compressor,
                     Compress(options_.compression, level, compressed, CompressingThreads(ctx_)));
    CountingSink plain(*compressor);
    TRY(WriteTar(layer, plain));
    TRY(compressor->Finish());
    const Digest diff_id = plain.digest();
    Descriptor descriptor = DescriptorOf(LayerType(options_.compression), compressed.digest(), compressed.size());
    descriptor.annotations[std::string(kUncompressedSizeAnnotation)] = StrCat(plain.size());
    descriptor.annotations[std::string(kEntriesAnnotation)] = StrCat(layer.members.size());
    TRY(PutBlob(descriptor, file.get()));
    result_.layers.push_back({.descriptor = descriptor,
                              .diff_id = diff_id,
                              .comment = layer.comment,
                              .members = layer.members.size(),
                              .uncompressed_bytes = plain.size()});
    return Ok();
  }

  Status WriteTar(const PlannedLayer& layer, ByteSink& sink) {
    TarWriter writer(sink);
    for (const PlannedMember& member : layer.members) {
      TRY(WriteMember(member, writer).While(Escape(member.path)));
    }
    return writer.Finish();
  }

  Status WriteMember(const PlannedMember& member, TarWriter& writer) {
    TRY(ctx_.cancel.Check());
    TarEntry entry = member.inode->entry;
    entry.path = member.path;
    if (member.only_parent) entry.mtime = 0;
    if (!member.hardlink_to.empty()) {
      entry.type = Type::kHardlink;
      entry.link_target = member.hardlink_to;
      entry.size = 0;
      entry.xattrs.clear();
      return writer.Add(entry);
    }
    TRY(writer.Add(entry));
    return entry.size == 0 ? Ok() : WriteContent(*member.inode, writer);
  }

  Status WriteContent(const RootfsInode& inode, TarWriter& writer) {
    ASSIGN_OR_RETURN(const auto source, tree_.content->Open(inode));
    uint64_t left = inode.entry.size;
    while (left > 0) {
      const MutableByteSpan piece = MutableByteSpan(buffer_).first(std::min<uint64_t>(left, buffer_.size()));
      ASSIGN_OR_RETURN(const size_t got, source->Read(piece));
      if (got == 0) return Error(Errc::kIo, "the file became shorter while it was packed");
      TRY(writer.WriteContent(piece.first(got)));
      left -= got;
      done_ += got;
      ctx_.progress.Report({.stage = "pack", .item = {}, .done = done_, .total = total_});
    }
    ASSIGN_OR_RETURN(const size_t more, source->Read(MutableByteSpan(buffer_).first(1)));
    return more == 0 ? Ok() : Status(Error(Errc::kIo, "the file became longer while it was packed"));
  }

  Status PutBlob(const Descriptor& blob, int file) {
    ASSIGN_OR_RETURN(const bool there, destination_.HasBlob(blob, ctx_));
    return there ? Ok() : destination_.PutBlob(blob, file, ctx_);
  }

  Status WriteConfigAndManifest() {
    const std::string config_text = ConfigText();
    const Descriptor config =
        DescriptorOf(media_type::kOciConfig, Digest::Of(AsBytes(config_text)), config_text.size());
    ASSIGN_OR_RETURN(const UniqueFd file, OpenTemporary(options_.temp_dir));
    TRY(WriteAll(file.get(), AsBytes(config_text), ctx_.sys));
    TRY(PutBlob(config, file.get()));
    Json::Array layers;
    if (base_) {
      for (const Descriptor& layer : base_->layers) layers.push_back(ToJson(layer));
    }
    for (const PackedLayer& layer : result_.layers) layers.push_back(ToJson(layer.descriptor));
    const Json json(
        Json::Object{{"schemaVersion", 2},
                     {"mediaType", media_type::kOciManifest},
                     {"config", ToJson(config)},
                     {"layers", std::move(layers)},
                     {"annotations", Json::Object{{std::string(kBootSetSizeAnnotation), StrCat(boot_bytes_)}}}});
    const Document document{std::string(media_type::kOciManifest), json.Dump()};
    result_.manifest = DescriptorOf(media_type::kOciManifest, document.digest(), document.bytes.size());
    return destination_.PutManifest(document, ImageDestination::Tagged::kYes, ctx_);
  }

  std::string ConfigText() const {
    const std::string created = FormatTime(created_);
    Json::Array diff_ids, history;
    const auto add = [&](const Digest& diff_id, std::string_view comment) {
      diff_ids.emplace_back(diff_id.ToString());
      history.emplace_back(
          Json::Object{{"created", created}, {"created_by", "hostapp-image pack"}, {"comment", comment}});
    };
    if (base_) {
      for (const Digest& diff_id : base_->diff_ids) add(diff_id, "base");
    }
    for (const PackedLayer& layer : result_.layers) add(layer.diff_id, layer.comment);
    Json::Object config;
    Json::Object labels;
    if (!kernel_.empty() && IsValidUtf8(kernel_)) labels[std::string(kKernelLabel)] = kernel_;
    for (const auto& [key, value] : options_.labels) labels[key] = value;
    if (!labels.empty()) config["Labels"] = std::move(labels);
    Json::Object out{{"created", created},
                     {"architecture", options_.platform.architecture},
                     {"os", options_.platform.os},
                     {"config", std::move(config)},
                     {"rootfs", Json::Object{{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}},
                     {"history", std::move(history)}};
    if (!options_.platform.variant.empty()) out["variant"] = options_.platform.variant;
    return Json(std::move(out)).Dump();
  }

  const PackOptions& options_;
  ImageDestination& destination_;
  OpContext& ctx_;
  RootfsTree tree_;
  std::optional<BaseImage> base_;
  // The result's manifest is not known before the end; until then it says so by being of nothing.
  PackResult result_{.manifest = DescriptorOf("", Digest::Of({}), 0), .layers = {}, .members = 0, .dropped = {}};
  int64_t created_ = 0;
  uint64_t done_ = 0, total_ = 0;
  uint64_t boot_bytes_ = 0;  // of the kernel and what is loaded with it
  std::string kernel_;       // its version; empty: there is none
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kPackChunk);
};

Status CheckOptions(const PackOptions& options) {
  if (options.rootfs.empty()) return Error(Errc::kInvalid, "no root file system is named");
  if (options.base && options.base->source == nullptr) return Error(Errc::kInvalid, "a base image without a source");
  for (const auto& [key, value] : options.labels) {
    if (key.empty() || !IsValidUtf8(key) || !IsValidUtf8(value)) {
      return Error(Errc::kInvalid, StrCat("label \"", Escape(key), "\": key and value must be text in UTF-8"));
    }
  }
  if (options.source_date_epoch && (*options.source_date_epoch < 0 || *options.source_date_epoch > tar::kMaxMtime)) {
    return Error(Errc::kInvalid, StrCat("a time of ", *options.source_date_epoch, ": must be 0..", tar::kMaxMtime));
  }
  return Ok();
}

}  // namespace

Result<PackResult> Pack(const PackOptions& options, ImageDestination& destination, OpContext& ctx) {
  const auto pack = [&]() -> Result<PackResult> {
    TRY(CheckOptions(options));
    return Packer(options, destination, ctx).Run();
  };
  return pack().While("packing ", Escape(options.rootfs));
}

}  // namespace hostapp

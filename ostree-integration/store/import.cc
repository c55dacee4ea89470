// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/import.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "hostapp/base/durable.h"
#include "hostapp/base/file_lock.h"
#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/import_need.h"
#include "ostree-integration/store/import_set.h"

namespace hostapp {
namespace {

constexpr size_t kFetchers = 3;
// How far fetching may run ahead of importing, in layers: what bounds the spool is the plan, this bounds surprise.
constexpr size_t kMaxAhead = 8;
// How much new content may wait to be published: what a loss of power makes us parse again, out of the spool.
constexpr uint64_t kPublishBytes = uint64_t{256} << 20;

// Fetches layers into spool files with a few threads, in order, while the caller takes them in order. The only threads
// of this module; joined before it ends.
class SpoolPipeline {
 public:
  SpoolPipeline(int spool_dir, const std::vector<ImportPlan::Layer>& layers, BlobSource& source, OpContext& ctx)
      : spool_dir_(spool_dir), layers_(layers), source_(source), ctx_(ctx), spooled_(layers.size()) {
    for (size_t i = 0; i < std::min(kFetchers, layers.size()); ++i) threads_.emplace_back([this] { Work(); });
  }
  ~SpoolPipeline() {
    Stop();
    for (std::thread& thread : threads_) thread.join();
  }
  SpoolPipeline(const SpoolPipeline&) = delete;
  SpoolPipeline& operator=(const SpoolPipeline&) = delete;

  // Waits for layer `i`; the first error of any fetch ends all.
  Result<SpooledBlob> Take(size_t i);

 private:
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stop_.Cancel();
    changed_.notify_all();
  }
  void Work();
  std::optional<size_t> NextToFetch();
  void Deliver(size_t i, Result<SpooledBlob> result);

  const int spool_dir_;
  const std::vector<ImportPlan::Layer>& layers_;
  BlobSource& source_;
  OpContext& ctx_;
  CancellationToken stop_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<SpooledBlob>> spooled_;
  std::optional<Error> error_;
  size_t next_ = 0;   // to fetch
  size_t taken_ = 0;  // layers before this one have been taken
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

std::optional<size_t> SpoolPipeline::NextToFetch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopped_ || next_ == layers_.size() || next_ < taken_ + kMaxAhead; });
  if (stopped_ || next_ == layers_.size()) return std::nullopt;
  return next_++;
}

void SpoolPipeline::Work() {
  OpContext ctx{.clock = ctx_.clock, .log = ctx_.log, .progress = ctx_.progress, .cancel = stop_, .sys = ctx_.sys};
  while (const std::optional<size_t> i = NextToFetch()) {
    Deliver(*i, SpoolBlob(spool_dir_, layers_[*i].blob, source_, ctx));
  }
}

void SpoolPipeline::Deliver(size_t i, Result<SpooledBlob> result) {
  const std::lock_guard lock(mutex_);
  if (result.ok()) {
    spooled_[i] = std::move(result).value();
  } else if (!error_ && !stopped_) {
    error_ = std::move(result).error();
    error_->Prefix(StrCat("fetching layer ", i + 1, " of ", layers_.size()));
    stopped_ = true;
    stop_.Cancel();  // the rest is of no use now
  }
  changed_.notify_all();
}

Result<SpooledBlob> SpoolPipeline::Take(size_t i) {
  std::unique_lock lock(mutex_);
  taken_ = i;
  changed_.notify_all();
  while (!error_ && !spooled_[i]) {
    TRY(ctx_.cancel.Check());
    // Nobody wakes us when the caller's token changes: look at it now and then.
    changed_.wait_for(lock, std::chrono::milliseconds(100));
  }
  if (error_) return *error_;
  SpooledBlob blob = std::move(*spooled_[i]);
  spooled_[i].reset();
  return blob;
}

uint64_t SpoolBytes(const ImageStore& store, const Descriptor& blob) {
  const std::string name = SpoolName(blob.digest);
  struct stat info {};
  if (::fstatat(store.tmp_fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return std::min(blob.size, static_cast<uint64_t>(info.st_size));
}

uint64_t SaturatingAdd(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }
uint64_t SaturatingMul(uint64_t a, uint64_t b) { return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b; }

bool IsPlainTar(std::string_view media_type) {
  return media_type == media_type::kOciLayerTar || media_type == media_type::kDockerLayerTar;
}

void AddNeeds(const Descriptor& blob, uint64_t to_fetch, ImportPlan& plan) {
  uint64_t unpacked = SaturatingMul(blob.size, IsPlainTar(blob.media_type) ? 1 : kAssumedRatio);
  if (const auto declared = NumberAnnotation(blob, kUncompressedSizeAnnotation)) unpacked = *declared;
  uint64_t files = unpacked / kAssumedFileBytes + 16;
  if (const auto declared = NumberAnnotation(blob, kEntriesAnnotation)) files = *declared;
  // Half a block is lost at the end of each file, on average.
  const uint64_t content = SaturatingAdd(unpacked, SaturatingMul(files, 2048));
  plan.need_bytes = SaturatingAdd(plan.need_bytes, SaturatingAdd(to_fetch, content));
  plan.need_inodes = SaturatingAdd(plan.need_inodes, SaturatingAdd(files, files / 8 + 8));
}

void Add(const StageCounts& counts, ImportReport& report) {
  report.objects_written += counts.written_objects;
  report.objects_reused += counts.reused_objects;
  report.written_bytes += counts.written_bytes;
  report.reused_bytes += counts.reused_bytes;
}

Status CheckCounts(const Manifest& manifest, const ImageConfig& config) {
  if (manifest.layers.size() == config.diff_ids.size()) return Ok();
  return Error(Errc::kCorrupt, StrCat("image ", manifest.digest.ToString(), ": ", manifest.layers.size(),
                                      " layers, but ", config.diff_ids.size(), " diff_ids in its config"));
}

}  // namespace

void AddDropped(const std::vector<DroppedPath>& dropped, ImportReport& report) {
  report.dropped_count += dropped.size();
  for (const DroppedPath& path : dropped) {
    if (report.dropped.size() == ImportReport::kMaxDroppedNames) return;
    report.dropped.push_back(path);
  }
}

Result<ImportPlan> PlanLayers(const ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                              const std::set<Digest>& again) {
  TRY(CheckCounts(manifest, config));
  ImportPlan plan;
  std::set<Digest> seen;
  std::map<Digest, Digest> blobs;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    const Digest& diff_id = config.diff_ids[i];
    const Descriptor& blob = manifest.layers[i];
    if (const auto [same, fresh] = blobs.emplace(blob.digest, diff_id); !fresh && same->second != diff_id) {
      return Error(Errc::kCorrupt, StrCat("image ", manifest.digest.ToString(), ": the blob ", blob.digest.ToString(),
                                          " is two layers with two diff_ids"));
    }
    if (!seen.insert(diff_id).second) continue;
    ++plan.layers;
    if (!again.contains(diff_id)) {
      ASSIGN_OR_RETURN(const std::optional<std::string> layer, ResolveIntactRef(store, LayerRef(diff_id)));
      if (layer) continue;
    }
    const uint64_t to_fetch = blob.size - SpoolBytes(store, blob);
    plan.download_bytes = SaturatingAdd(plan.download_bytes, to_fetch);
    AddNeeds(blob, to_fetch, plan);
    plan.missing.push_back({diff_id, blob});
  }
  return plan;
}

Result<ImportPlan> PlanImport(const ImageStore& store, const Manifest& manifest, const ImageConfig& config) {
  return PlanLayers(store, manifest, config, {});
}

ImportPlan PlanFirstImport(const Manifest& manifest) {
  ImportPlan plan;
  std::set<Digest> seen;
  for (const Descriptor& blob : manifest.layers) {
    if (!seen.insert(blob.digest).second) continue;
    ++plan.layers;
    plan.download_bytes = SaturatingAdd(plan.download_bytes, blob.size);
    AddNeeds(blob, blob.size, plan);
  }
  return plan;
}

Status CheckSpace(const ImageStore& store, const ImportPlan& plan, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(store.tmp_fd(), ctx.sys));
  if (plan.need_bytes > free.bytes) {
    return Error(Errc::kNoSpace,
                 StrCat("the image may need ", plan.need_bytes, " bytes (", HumanBytes(plan.need_bytes),
                        ") in the store, its file system has ", free.bytes, " (", HumanBytes(free.bytes), ") free"));
  }
  if (plan.need_inodes > free.inodes) {
    return Error(Errc::kNoSpace, StrCat("the image may need ", plan.need_inodes,
                                        " inodes in the store, its file system has ", free.inodes, " free"));
  }
  return Ok();
}

namespace {

// Layer after layer into a stage, and a stage into the store: its syncs are paid once for many small layers.
class LayerImporter {
 public:
  LayerImporter(ImageStore& store, const ImportPlan& plan, const ObjectSet& damaged, BlobSource& source, OpContext& ctx)
      : store_(store), plan_(plan), damaged_(damaged), ctx_(ctx), pipeline_(store.tmp_fd(), plan.missing, source, ctx) {
    for (const ImportPlan::Layer& layer : plan.missing) total_ += layer.blob.size;
  }
  Result<ImportReport> Run();

 private:
  Status Stage(size_t i);
  Status Publish();

  ImageStore& store_;
  const ImportPlan& plan_;
  const ObjectSet& damaged_;
  OpContext& ctx_;
  SpoolPipeline pipeline_;
  std::unique_ptr<ObjectStage> stage_;
  std::vector<std::string> spooled_;  // files of the layers that are staged
  ImportReport report_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
};

Status LayerImporter::Stage(size_t i) {
  const ImportPlan::Layer& layer = plan_.missing[i];
  ASSIGN_OR_RETURN(const SpooledBlob blob, pipeline_.Take(i));
  if (!stage_) {
    ASSIGN_OR_RETURN(stage_, ObjectStage::Begin(store_, "stage-import", damaged_, ctx_));
  }
  const auto consumed = [this](uint64_t bytes) {
    ctx_.progress.Report({.stage = "import", .item = {}, .done = done_ + bytes, .total = total_});
  };
  ASSIGN_OR_RETURN(
      const LayerImport imported,
      ImportLayer(*stage_, layer.blob, layer.diff_id, blob.file.get(), consumed, ctx_)
          .While("importing layer ", i + 1, " of ", plan_.missing.size(), ": ", layer.blob.digest.ToString()));
  spooled_.push_back(blob.name);
  done_ += layer.blob.size;
  report_.imported.insert(layer.diff_id);
  report_.downloaded_bytes += blob.downloaded;
  Add(imported.counts, report_);
  AddDropped(imported.dropped, report_);
  return Ok();
}

Status LayerImporter::Publish() {
  if (!stage_) return Ok();
  const std::unique_ptr<ObjectStage> stage = std::move(stage_);
  TRY(stage->Publish().While("importing the image's layers"));
  for (const std::string& name : spooled_) TRY(RemoveFile(store_.tmp_fd(), name, ctx_.sys));
  spooled_.clear();
  return Ok();
}

Result<ImportReport> LayerImporter::Run() {
  report_.layers_reused = plan_.layers - plan_.missing.size();
  for (size_t i = 0; i < plan_.missing.size(); ++i) {
    Status staged = Stage(i);
    if (!staged.ok()) {
      // The layers before this one are whole, and need not be fetched again.
      if (const Status kept = Publish(); !kept.ok()) ctx_.log.Warning(kept.error().message());
      return std::move(staged).error();
    }
    if (stage_->counts().written_bytes >= kPublishBytes) TRY(Publish());
  }
  TRY(Publish());
  return std::move(report_);
}

}  // namespace

Result<ImportReport> ImportPlanned(ImageStore& store, const ImportPlan& plan, const ObjectSet& damaged,
                                   BlobSource& source, OpContext& ctx) {
  return LayerImporter(store, plan, damaged, source, ctx).Run();
}

Result<ImportReport> ImportImage(ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                                 BlobSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FileLock lock,
                   FileLock::Acquire(store.tmp_fd(), kImportLockName, FileLock::Wait::kYes, ctx.cancel, ctx.sys));
  ASSIGN_OR_RETURN(const ImportPlan plan, PlanImport(store, manifest, config));
  return ImportPlanned(store, plan, {}, source, ctx);
}

}  // namespace hostapp

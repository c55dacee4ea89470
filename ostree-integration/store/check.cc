// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/check.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>

#include "hostapp/base/workers.h"
#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/loose_objects.h"
#include "ostree-integration/store/reachable.h"
#include "ostree-integration/store/refs.h"
#include "ostree-integration/store/verify_object.h"

namespace hostapp {
namespace {

struct BadObject {
  StoreProblem::Kind kind = StoreProblem::Kind::kMissingObject;
  std::string_view extension;
  std::string why;
  std::string path;  // of the first ref
  std::set<std::string> refs;
};
using BadObjects = std::unordered_map<Sha256, BadObject, Sha256Hash>;

struct FileObject {
  Sha256 id{};
  uint64_t inode = 0;  // 0: not found
};

std::vector<ObjectVerifier> MakeVerifiers(const ImageStore& store, unsigned jobs) {
  std::vector<ObjectVerifier> out;
  for (unsigned lane = 0; lane < std::max(1U, jobs); ++lane) out.emplace_back(store);
  return out;
}

// Trees first, one after the other: what they name cannot be known before. Then the files, in the order in which they
// lie on the disk, by several threads.
class Checker {
 public:
  Checker(const ImageStore& store, OpContext& ctx)
      : store_(store), ctx_(ctx), verifiers_(MakeVerifiers(store, ctx.jobs)), workers_(ctx.jobs) {}
  Result<CheckReport> Run();

 private:
  Status VerifyTrees();
  Status FindInodes();
  Status VerifyFiles();
  Status FindOwners();
  void CheckIndexes();
  StoreProblem ProblemOf(const Sha256& id, const BadObject& bad) const;
  bool Verify(const Sha256& id, std::string_view extension, ObjectVerifier& verifier);

  const ImageStore& store_;
  OpContext& ctx_;
  RefScan scan_;
  std::vector<Start> starts_;  // of scan_
  std::vector<FileObject> files_;
  std::vector<ObjectVerifier> verifiers_;  // one a lane

  std::mutex mutex_;  // for what follows
  CheckReport report_;
  BadObjects bad_;
  Workers workers_;  // last: ends before what its tasks use
};

bool Checker::Verify(const Sha256& id, std::string_view extension, ObjectVerifier& verifier) {
  ObjectState state = verifier.Verify(id, extension);
  const std::lock_guard lock(mutex_);
  ++report_.objects;
  report_.bytes += state.bytes;
  ctx_.progress.Report({.stage = "check",
                        .item = {},
                        .done = report_.objects,
                        .total = std::nullopt,
                        .unit = ProgressEvent::Unit::kItems});
  if (!state.problem) return true;
  bad_.emplace(id, BadObject{*state.problem, extension, std::move(state.why), {}, {}});
  return false;
}

Status Checker::VerifyTrees() {
  Walker walker(store_, workers_, [this](const Visit& visit) -> Result<bool> {
    TRY(ctx_.cancel.Check());
    if (visit.extension != kFileExtension) return Verify(visit.id, visit.extension, verifiers_.front());
    files_.push_back({.id = visit.id});
    return true;
  });
  return walker.Walk(starts_);
}

// A folder's names come with their inodes: nothing has to be looked at one by one.
Status Checker::FindInodes() {
  std::ranges::sort(files_, {}, &FileObject::id);
  return ForEachLooseObject(store_, [this](const LooseObject& object) -> Status {
    if (object.extension != kFileExtension) return Ok();
    const auto file = std::ranges::lower_bound(files_, object.id, {}, &FileObject::id);
    if (file != files_.end() && file->id == object.id) file->inode = object.inode;
    return Ok();
  });
}

Status Checker::VerifyFiles() {
  std::ranges::sort(files_, {}, &FileObject::inode);
  return ForEachOf(files_.size(), workers_, [this](size_t i, size_t lane) -> Status {
    (void)Verify(files_[i].id, kFileExtension, verifiers_[lane]);
    return ctx_.cancel.Check();
  });
}

// Which refs need what is bad: only walked when something is.
Status Checker::FindOwners() {
  if (bad_.empty()) return Ok();
  for (const Start& start : starts_) {
    Walker walker(store_, workers_, [&](const Visit& visit) -> Result<bool> {
      const auto bad = bad_.find(visit.id);
      if (bad == bad_.end()) return true;
      if (bad->second.refs.empty()) bad->second.path = visit.path;
      bad->second.refs.emplace(start.ref);
      return false;
    });
    TRY(walker.Walk({&start, 1}));
  }
  return Ok();
}

StoreProblem Checker::ProblemOf(const Sha256& id, const BadObject& bad) const {
  const std::string object = StrCat(Hex(id), ".", bad.extension);
  return {.kind = bad.kind,
          .object = object,
          .what = StrCat("the object ", object, " of ", Escape(bad.path), ": ", bad.why),
          .refs = {bad.refs.begin(), bad.refs.end()}};
}

void Checker::CheckIndexes() {
  std::set<std::string> known;  // refs that have a problem already
  for (const auto& [id, bad] : bad_) known.insert(bad.refs.begin(), bad.refs.end());
  for (const auto& [ref, commit] : scan_.refs) {
    if (!ref.starts_with(kLayerRefPrefix) || known.contains(ref)) continue;
    const Result<Digest> diff_id = DigestOfRef(ref, kLayerRefPrefix);
    const Status status = diff_id.ok() ? LoadLayerIndex(store_, *diff_id).status() : Status(diff_id.error());
    if (status.ok()) continue;
    report_.problems.push_back(
        {.kind = StoreProblem::Kind::kDamagedIndex, .object = {}, .what = status.error().message(), .refs = {ref}});
  }
}

Result<CheckReport> Checker::Run() {
  ASSIGN_OR_RETURN(scan_, ScanRefs(store_));
  for (const std::string& ref : scan_.damaged) {
    report_.problems.push_back({.kind = StoreProblem::Kind::kDamagedRef,
                                .object = {},
                                .what = StrCat("the ref ", Escape(ref), " has no checksum in it"),
                                .refs = {ref}});
  }
  ASSIGN_OR_RETURN(starts_, StartsOf(scan_.refs));
  TRY(VerifyTrees());
  TRY(FindInodes());
  TRY(VerifyFiles());
  TRY(FindOwners());
  CheckIndexes();
  for (const auto& [id, bad] : bad_) report_.problems.push_back(ProblemOf(id, bad));
  std::sort(report_.problems.begin(), report_.problems.end(),
            [](const StoreProblem& a, const StoreProblem& b) { return a.what < b.what; });
  return std::move(report_);
}

}  // namespace

std::string_view KindName(StoreProblem::Kind kind) {
  switch (kind) {
    case StoreProblem::Kind::kMissingObject:
      return "missing-object";
    case StoreProblem::Kind::kDamagedObject:
      return "damaged-object";
    case StoreProblem::Kind::kDamagedRef:
      return "damaged-ref";
    case StoreProblem::Kind::kMissingRef:
      return "missing-ref";
    case StoreProblem::Kind::kDamagedIndex:
      return "damaged-index";
  }
  return "unknown";
}

Result<CheckReport> CheckStore(const ImageStore& store, OpContext& ctx) {
  ASSIGN_OR_RETURN(const RepoLock lock, RepoLock::Acquire(store, OSTREE_REPO_LOCK_SHARED, ctx));
  return Checker(store, ctx).Run();
}

Result<std::vector<StoreProblem>> FindMissingRefs(const ImageStore& store, const Digest& manifest_digest) {
  std::vector<StoreProblem> problems;
  const auto note = [&](const std::string& ref) {
    problems.push_back({.kind = StoreProblem::Kind::kMissingRef,
                        .object = {},
                        .what = StrCat("the ref ", Escape(ref), " is missing"),
                        .refs = {ref}});
  };
  ASSIGN_OR_RETURN(const std::optional<ImageInfo> image, FindImage(store, manifest_digest));
  if (!image) {
    note(ImageRef(manifest_digest));
    return problems;
  }
  for (const Digest& diff_id : image->diff_ids) {
    ASSIGN_OR_RETURN(const std::optional<LayerInfo> layer, FindLayer(store, diff_id));
    if (!layer) note(LayerRef(diff_id));
  }
  return problems;
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/check.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/reachable.h"
#include "ostree-integration/store/refs.h"
#include "ostree-integration/store/verify_object.h"

namespace hostapp {
namespace {

struct BadObject {
  StoreProblem problem;
  std::set<std::string> refs;
};
using BadObjects = std::unordered_map<Sha256, BadObject, Sha256Hash>;

class Checker {
 public:
  Checker(const ImageStore& store, OpContext& ctx) : store_(store), ctx_(ctx) {}
  Result<CheckReport> Run();

 private:
  Status VerifyAll();
  Status FindOwners();
  void CheckIndexes();
  Result<bool> Verify(const Visit& visit);

  const ImageStore& store_;
  OpContext& ctx_;
  RefScan scan_;
  CheckReport report_;
  BadObjects bad_;
};

Result<bool> Checker::Verify(const Visit& visit) {
  TRY(ctx_.cancel.Check());
  ObjectState state = VerifyObject(store_, visit.id, visit.extension);
  ++report_.objects;
  report_.bytes += state.bytes;
  ctx_.progress.Report({.stage = "check",
                        .item = {},
                        .done = report_.objects,
                        .total = std::nullopt,
                        .unit = ProgressEvent::Unit::kItems});
  if (!state.problem) return true;
  BadObject& bad = bad_[visit.id];
  bad.problem.kind = *state.problem;
  bad.problem.object = StrCat(Hex(visit.id), ".", visit.extension);
  bad.problem.what =
      StrCat("the object ", Hex(visit.id), ".", visit.extension, " of ", Escape(visit.path), ": ", state.why);
  return false;
}

Status Checker::VerifyAll() {
  Walker walker(store_, [this](const Visit& visit) { return Verify(visit); });
  for (const auto& [ref, commit] : scan_.refs) {
    ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
    TRY(walker.WalkCommit(id));
  }
  return Ok();
}

// Which refs need what is bad: only walked when something is.
Status Checker::FindOwners() {
  if (bad_.empty()) return Ok();
  for (const auto& [ref, commit] : scan_.refs) {
    const std::string& name = ref;
    Walker walker(store_, [&](const Visit& visit) -> Result<bool> {
      const auto bad = bad_.find(visit.id);
      if (bad == bad_.end()) return true;
      bad->second.refs.insert(name);
      return false;
    });
    ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
    TRY(walker.WalkCommit(id));
  }
  return Ok();
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
  TRY(VerifyAll());
  TRY(FindOwners());
  CheckIndexes();
  for (auto& [id, bad] : bad_) {
    bad.problem.refs.assign(bad.refs.begin(), bad.refs.end());
    report_.problems.push_back(std::move(bad.problem));
  }
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
    case StoreProblem::Kind::kDamagedIndex:
      return "damaged-index";
  }
  return "unknown";
}

Result<CheckReport> CheckStore(const ImageStore& store, OpContext& ctx) {
  ASSIGN_OR_RETURN(const RepoLock lock, RepoLock::Acquire(store, OSTREE_REPO_LOCK_SHARED, ctx));
  return Checker(store, ctx).Run();
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/file_lock.h"
#include "ostree-integration/store/check.h"
#include "ostree-integration/store/import_set.h"
#include "ostree-integration/store/refs.h"

namespace hostapp {
namespace {

bool Names(const StoreProblem& problem, const std::string& ref) {
  return std::find(problem.refs.begin(), problem.refs.end(), ref) != problem.refs.end();
}

// "<64 digits>.file" → its path below `objects`. What else a report could say is not removed.
Result<std::string> PathOf(const std::string& object) {
  const size_t dot = object.find('.');
  ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(std::string_view(object).substr(0, dot)));
  const std::string extension = dot == std::string::npos ? "" : object.substr(dot + 1);
  for (const std::string_view known : {"file", "dirtree", "dirmeta", "commit"}) {
    if (extension == known) return ObjectPath(id, extension);
  }
  return Error(Errc::kInvalid, StrCat(Escape(object), " is no object's name"));
}

// A damaged object is taken for whole by everyone who only looks for its name: it goes before the import writes it.
Status RemoveDamaged(ImageStore& store, const StoreProblem& problem, RepairReport& report, OpContext& ctx) {
  for (const std::string& ref : problem.refs) {
    if (problem.kind == StoreProblem::Kind::kDamagedRef) TRY(RemoveRef(store, ref, ctx));
  }
  if (problem.kind != StoreProblem::Kind::kDamagedObject) return Ok();
  ASSIGN_OR_RETURN(const std::string path, PathOf(problem.object));
  TRY(RemoveFile(store.impl().objects.get(), path, ctx.sys));
  ++report.objects_removed;
  return Ok();
}

}  // namespace

Result<RepairReport> RepairImage(ImageStore& store, const std::vector<StoreProblem>& problems, const Manifest& manifest,
                                 const ImageConfig& config, BlobSource& source, OpContext& ctx) {
  RepairReport report;
  std::set<Digest> again;
  bool merge = false;
  {
    ASSIGN_OR_RETURN(const FileLock lock,
                     FileLock::Acquire(store.tmp_fd(), kImportLockName, FileLock::Wait::kYes, ctx.cancel, ctx.sys));
    for (const StoreProblem& problem : problems) {
      bool ours = Names(problem, ImageRef(manifest.digest));
      merge = merge || ours;
      for (const Digest& diff_id : config.diff_ids) {
        if (!Names(problem, LayerRef(diff_id))) continue;
        ours = true;
        again.insert(diff_id);
      }
      if (ours) TRY(RemoveDamaged(store, problem, report, ctx).While("removing what is damaged"));
    }
    ASSIGN_OR_RETURN(const ImportPlan plan, PlanLayers(store, manifest, config, again));
    ASSIGN_OR_RETURN(report.import, ImportPlanned(store, plan, source, ctx));
  }
  if (!merge) return report;
  TRY(WriteMerged(store, manifest, config, ctx).status());
  report.merged = true;
  return report;
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "hostapp/base/file_lock.h"
#include "ostree-integration/store/check.h"
#include "ostree-integration/store/import_set.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {
namespace {

bool Names(const StoreProblem& problem, const std::string& ref) {
  return std::find(problem.refs.begin(), problem.refs.end(), ref) != problem.refs.end();
}

// Those that are there under their names, whichever image needs them.
Result<ObjectSet> DamagedObjects(const std::vector<StoreProblem>& problems) {
  ObjectSet damaged;
  for (const StoreProblem& problem : problems) {
    if (problem.kind != StoreProblem::Kind::kDamagedObject) continue;
    ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(std::string_view(problem.object).substr(0, problem.object.find('.'))));
    damaged.insert(id);
  }
  return damaged;
}

}  // namespace

Result<RepairReport> RepairImage(ImageStore& store, const std::vector<StoreProblem>& problems, const Manifest& manifest,
                                 const ImageConfig& config, BlobSource& source, OpContext& ctx) {
  RepairReport report;
  ASSIGN_OR_RETURN(const ObjectSet damaged, DamagedObjects(problems));
  std::set<Digest> again;
  bool merge = false;
  for (const StoreProblem& problem : problems) {
    merge = merge || Names(problem, ImageRef(manifest.digest));
    for (const Digest& diff_id : config.diff_ids) {
      if (Names(problem, LayerRef(diff_id))) again.insert(diff_id);
    }
  }
  {
    ASSIGN_OR_RETURN(const FileLock lock,
                     FileLock::Acquire(store.tmp_fd(), kImportLockName, FileLock::Wait::kYes, ctx.cancel, ctx.sys));
    ASSIGN_OR_RETURN(const ImportPlan plan, PlanLayers(store, manifest, config, again));
    ASSIGN_OR_RETURN(report.import, ImportPlanned(store, plan, damaged, source, ctx));
  }
  if (!merge) return report;
  TRY(WriteMerged(store, manifest, config, damaged, ctx).status());
  report.merged = true;
  return report;
}

}  // namespace hostapp

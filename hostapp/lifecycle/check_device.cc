// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/check_device.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hostapp/base/strings.h"
#include "hostapp/boot/firmware.h"
#include "hostapp/boot/follow_ledger.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/deploy/check_tree.h"
#include "ostree-integration/deploy/contents.h"
#include "ostree-integration/store/check.h"

namespace hostapp {
namespace {

struct Session {
  const Device& device;
  const StoreLock& lock;
  ImageStore& store;
  RepairMode mode;
  const RegistryOptions& options;
  OpContext& ctx;
  DeviceReport report;

  bool Repairs() const { return mode == RepairMode::kRepair; }
  void Note(std::string_view kind, std::string what, bool repaired = false) {
    report.problems.push_back({std::string(kind), std::move(what), repaired});
  }
};

// The same image again, whatever its tag names by now.
Result<Reference> SourceOf(const Deployment& deployment) {
  ASSIGN_OR_RETURN(Reference reference, ParseReference(deployment.reference));
  if (reference.transport == Reference::Transport::kRegistry) {
    reference.tag.clear();
    reference.digest = deployment.manifest_digest;
  }
  return reference;
}

// The image's documents from its source, where the store's own copy is damaged too.
Result<StoredImage> FetchImage(const Deployment& deployment, ImageSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Reference reference, SourceOf(deployment));
  ASSIGN_OR_RETURN(ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
  if (image.manifest.digest != deployment.manifest_digest) {
    return Error(Errc::kNotFound,
                 StrCat(deployment.reference, " names another image now (", image.manifest.digest.Short(), ", not ",
                        deployment.manifest_digest.Short(), ")"));
  }
  ASSIGN_OR_RETURN(std::string bytes, FetchSmallBlob(image.manifest.config, kMaxConfigBytes, source, ctx));
  ASSIGN_OR_RETURN(ImageConfig config, ParseImageConfig(std::move(bytes), image.manifest.layers.size()));
  return StoredImage{.manifest = std::move(image.manifest), .config = std::move(config)};
}

Status RepairFrom(Session& session, const Deployment& deployment, const std::vector<StoreProblem>& problems) {
  ASSIGN_OR_RETURN(const Reference reference, SourceOf(deployment));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, session.options, session.ctx));
  Result<StoredImage> image = LoadImage(session.store, deployment.manifest_digest);
  if (!image.ok()) image = FetchImage(deployment, *source, session.ctx);
  if (!image.ok()) return std::move(image).status();
  return RepairImage(session.store, problems, image->manifest, image->config, *source, session.ctx).status();
}

void AddStoreProblems(Session& session, const std::vector<StoreProblem>& before,
                      const std::vector<StoreProblem>& after) {
  const auto key = [](const StoreProblem& problem) { return std::pair(problem.object, problem.refs); };
  std::set<std::pair<std::string, std::vector<std::string>>> still;
  for (const StoreProblem& problem : after) still.insert(key(problem));
  for (const StoreProblem& problem : before) {
    session.Note(KindName(problem.kind), problem.what, session.Repairs() && !still.contains(key(problem)));
  }
}

// The store, and that it still has the names of what the deployments are made of.
Result<CheckReport> CheckStoreOf(Session& session, const std::vector<Deployment>& deployments) {
  ASSIGN_OR_RETURN(CheckReport report, CheckStore(session.store, session.ctx));
  std::set<std::string> known;
  for (const StoreProblem& problem : report.problems) known.insert(problem.refs.begin(), problem.refs.end());
  for (const Deployment& deployment : deployments) {
    Result<std::vector<StoreProblem>> missing = FindMissingRefs(session.store, deployment.manifest_digest);
    if (!missing.ok()) continue;  // it is damaged, and among the problems
    for (StoreProblem& problem : *missing) {
      if (known.insert(problem.refs.front()).second) report.problems.push_back(std::move(problem));
    }
  }
  return report;
}

Status CheckTheStore(Session& session, const std::vector<Deployment>& deployments) {
  ASSIGN_OR_RETURN(const CheckReport first, CheckStoreOf(session, deployments));
  session.report.objects = first.objects;
  if (first.problems.empty() || !session.Repairs()) {
    AddStoreProblems(session, first.problems, first.problems);
    return Ok();
  }
  std::set<Digest> done;
  for (const Deployment& deployment : deployments) {
    if (!done.insert(deployment.manifest_digest).second) continue;
    // One image whose source cannot be reached must not keep the others from being mended.
    if (const Status repaired = RepairFrom(session, deployment, first.problems); !repaired.ok()) {
      session.ctx.log.Warning(
          StrCat("repairing the image of deployment ", deployment.serial, ": ", repaired.error().message()));
    }
  }
  ASSIGN_OR_RETURN(const CheckReport second, CheckStoreOf(session, deployments));
  AddStoreProblems(session, first.problems, second.problems);
  return Ok();
}

Status CheckBootSetOf(Session& session, const Deployment& deployment) {
  const Status intact = CheckBootSet(session.device.sysroot, deployment.boot_set);
  if (intact.ok()) return Ok();
  bool repaired = false;
  if (session.Repairs()) {
    ASSIGN_OR_RETURN(const BootSet set, ReadBootSet(session.store, deployment.commit, session.ctx));
    if (set.digest() == deployment.boot_set) {
      TRY(CompleteBootSet(session.lock, session.device.sysroot, session.store, deployment.commit, set, session.ctx));
      repaired = true;
    }
  }
  session.Note("damaged-boot-set", StrCat("deployment ", deployment.serial, ": ", intact.error().message()), repaired);
  return Ok();
}

void NoteProblem(Session& session, const char* kind, const Deployment& deployment, const TreeProblem& problem) {
  session.Note(kind, StrCat("deployment ", deployment.serial, ": ", Escape(problem.path), ": ", problem.what),
               problem.repaired);
}

Status CheckDeployment(Session& session, const Deployment& deployment) {
  const TreeRepair repair = session.Repairs() ? TreeRepair::kYes : TreeRepair::kNo;
  ASSIGN_OR_RETURN(const std::vector<TreeProblem> problems,
                   CheckTree(session.device.sysroot, session.store, deployment, repair, session.ctx));
  for (const TreeProblem& problem : problems) NoteProblem(session, "damaged-tree", deployment, problem);
  ASSIGN_OR_RETURN(const std::optional<TreeProblem> contents,
                   CheckContents(session.device.sysroot, session.store, deployment, repair, session.ctx));
  if (contents) NoteProblem(session, "damaged-contents", deployment, *contents);
  return CheckBootSetOf(session, deployment);
}

// A record that cannot be read: what the deployment needs is not known, and nothing of it can be fetched again.
Status CheckRecords(Session& session) {
  const Sysroot& sysroot = session.device.sysroot;
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> serials, DeploymentFolders(sysroot));
  for (const DeploymentSerial serial : serials) {
    if (!IsComplete(sysroot, serial)) continue;
    const Result<Deployment> deployment = LoadDeployment(sysroot, serial);
    if (deployment.ok()) continue;
    session.Note("deployment",
                 StrCat(deployment.error().message(), "; deploy its release again, and then: hostapp remove ", serial));
  }
  return Ok();
}

void CheckNamed(Session& session, std::string_view as, DeploymentSerial serial) {
  if (serial == bootsel::kNoSerial || IsComplete(session.device.sysroot, serial)) return;
  session.Note("ledger", StrCat("the boot ledger names deployment ", serial, " as ", as,
                                ", and its deployment.json is missing: it cannot be booted; deploy its release again"));
}

// Mended by the next write of the ledger: each overwrites the worse slot.
Status CheckLedger(Session& session) {
  const Result<StoredLedger> stored = ReadLedger(session.device.sysroot);
  if (!stored.ok()) {
    session.Note("ledger", stored.error().message());
    return Ok();
  }
  CheckNamed(session, "the default", stored->ledger.default_deployment.serial);
  CheckNamed(session, "the previous one", stored->ledger.previous.serial);
  CheckNamed(session, "the trial", stored->ledger.trial.serial);
  if (stored->damaged_slots == 0) return Ok();
  if (session.Repairs()) {
    ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(session.device.sysroot, session.ctx));
    TRY(RewriteLedger(lock, session.device.sysroot, session.ctx));
  }
  session.Note("ledger-slot", "one of the boot ledger's two slots is damaged", session.Repairs());
  return Ok();
}

// No problem of what is on the disk, and nothing that everybody can mend.
void CheckFirmware(Session& session) {
  if (session.Repairs()) (void)PrepareFirmware(session.device, session.ctx);  // what is missing still is said next
  if (const auto lacks = WhatFirmwareLacks(session.device, session.ctx)) session.ctx.log.Warning(*lacks);
}

Status CheckLoader(Session& session) {
  if (const auto kind = LoaderWithoutConfig(session.device.sysroot)) {
    session.Note("loader", StrCat(kLoaderConfigName, " is missing, and the boot file system has files of ",
                                  LoaderName(*kind), ", which is followed; write it again, as formats.md says"));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> lacks, WhatLoaderLacks(session.device));
  if (!lacks) return Ok();
  std::optional<std::string> still = lacks;
  if (session.Repairs()) {
    ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(session.device.sysroot, session.ctx));
    TRY(FollowLedger(session.device, lock, session.ctx));
    ASSIGN_OR_RETURN(still, WhatLoaderLacks(session.device));
  }
  session.Note("loader", *lacks, !still);
  return Ok();
}

}  // namespace

bool DeviceReport::ok() const {
  return std::all_of(problems.begin(), problems.end(), [](const DeviceProblem& problem) { return problem.repaired; });
}

Result<DeviceReport> CheckDevice(const Device& device, RepairMode mode, const RegistryOptions& options,
                                 OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  std::optional<std::string> config_problem;
  if (mode == RepairMode::kRepair) {
    ASSIGN_OR_RETURN(config_problem, ImageStore::RepairConfig(device.sysroot.root(), ctx));
  }
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  Session session{device, lock, store, mode, options, ctx, {}};
  if (config_problem) session.Note("store-config", *config_problem, true);
  ASSIGN_OR_RETURN(const std::vector<Deployment> deployments, LoadDeployments(device.sysroot, ctx));
  TRY(CheckTheStore(session, deployments));
  TRY(CheckRecords(session));
  for (const Deployment& deployment : deployments) {
    if (const Status checked = CheckDeployment(session, deployment); !checked.ok()) {
      session.Note("deployment", StrCat("deployment ", deployment.serial, ": ", checked.error().message()));
    }
  }
  TRY(CheckLedger(session));
  if (const Status checked = CheckLoader(session); !checked.ok()) session.Note("loader", checked.error().message());
  CheckFirmware(session);
  return std::move(session.report);
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// Reports of the lifecycle as what the user reads and what programs read. Pure. Absent is null, never a missing key.
#pragma once

#include "hostapp/lifecycle/check_device.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/etc_diff.h"
#include "hostapp/lifecycle/grow_root.h"
#include "hostapp/lifecycle/health.h"
#include "hostapp/lifecycle/install_disk.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/kernel_arguments.h"
#include "hostapp/lifecycle/probe_features.h"
#include "hostapp/lifecycle/reconcile.h"
#include "hostapp/lifecycle/rollback.h"
#include "hostapp/lifecycle/status.h"
#include "hostapp/lifecycle/update_loader.h"
#include "hostapp/lifecycle/upgrade.h"
#include "ostree-integration/deploy/history.h"
#include "tools/cli/output.h"

namespace hostapp::cli {

inline Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Outcome RenderStatus(const StatusReport& report);

Outcome RenderKernelArguments(const KernelArguments& arguments);
Outcome RenderPull(const PulledImage& image, bool was_in_store, double seconds);
Outcome RenderDeploy(const DeployReport& report, int tries);
// What a dry run would have done.
Outcome RenderPlan(const PullPlan& plan);
// `seconds`: what asking took, when nothing was deployed.
Outcome RenderUpgrade(const UpgradeReport& report, UpgradeOptions::Mode mode, double seconds);

Outcome RenderRollback(const RollbackReport& report);
// Requested, and taken back.
Outcome RenderFactoryReset(const std::vector<std::string>& kept);
Outcome RenderNoFactoryReset();
Outcome RenderReconcile(const ReconcileReport& report);
Outcome RenderGiveBack(bool given);
Outcome RenderLog(const History& history);
Outcome RenderGarbage(const GarbageReport& report, PruneMode mode);
// Exit status 4 with problems that stay.
Outcome RenderCheck(const DeviceReport& report);
Outcome RenderFeatures(const std::vector<Feature>& features);
Outcome RenderEtcDiff(DeploymentSerial serial, const std::vector<EtcChange>& changes);
// Exit status 1 with a failed required check.
Outcome RenderLoaderUpdate(const LoaderUpdate& update);
Outcome RenderHealth(const HealthReport& report);
Outcome RenderProof(const ProofReport& report);
Outcome RenderInstall(const InstallReport& report, const std::string& disk);
Outcome RenderGrow(const GrowReport& report);
// {"serial": …} and a line.
Outcome RenderSerial(DeploymentSerial serial, std::string_view line);

}  // namespace hostapp::cli

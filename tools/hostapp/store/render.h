// SPDX-License-Identifier: Apache-2.0
// Reports of the lifecycle as what the user reads and what programs read. Pure. Absent is null, never a missing key.
#pragma once

#include "hostapp/lifecycle/check_device.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/etc_diff.h"
#include "hostapp/lifecycle/grow_root.h"
#include "hostapp/lifecycle/install_disk.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/probe_features.h"
#include "hostapp/lifecycle/update_loader.h"
#include "hostapp/lifecycle/upgrade.h"
#include "tools/hostapp/render.h"

namespace hostapp::cli {

Outcome RenderPull(const PulledImage& image, bool was_in_store, double seconds);
Outcome RenderDeploy(const DeployReport& report, int tries);
// What a dry run would have done.
Outcome RenderPlan(const PullPlan& plan);
// `seconds`: what asking took, when nothing was deployed.
Outcome RenderUpgrade(const UpgradeReport& report, UpgradeOptions::Mode mode, double seconds);

// Requested, and taken back.
Outcome RenderFactoryReset(const std::vector<std::string>& kept);
Outcome RenderNoFactoryReset();

Outcome RenderGarbage(const GarbageReport& report, PruneMode mode);
// Exit status 4 with problems that stay.
Outcome RenderCheck(const DeviceReport& report);
Outcome RenderFeatures(const std::vector<Feature>& features);
Outcome RenderEtcDiff(DeploymentSerial serial, const std::vector<EtcChange>& changes);

Outcome RenderLoaderUpdate(const LoaderUpdate& update);
Outcome RenderInstall(const InstallReport& report, const std::string& disk);
Outcome RenderGrow(const GrowReport& report);

}  // namespace hostapp::cli

// SPDX-License-Identifier: Apache-2.0
// What each verb that needs the store, a registry or a disk does.
#pragma once

#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

Result<Done> Run(const InitVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const PullVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const DeployVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const UpgradeVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const EditKargsVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const FactoryResetVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const InstallVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const GrowVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const RemoveVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const GcVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const FsckVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const EtcDiffVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const LoaderUpdateVerb& verb, const Target& target, OpContext& ctx);

}  // namespace hostapp::cli

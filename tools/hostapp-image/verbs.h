// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/cli/output.h"
#include "tools/hostapp-image/command_line.h"

namespace hostapp::cli {

Result<Outcome> Run(const PackVerb& verb, OpContext& ctx);
Result<Outcome> Run(const InspectVerb& verb, OpContext& ctx);
Result<Outcome> Run(const DiskVerb& verb, OpContext& ctx);
Result<Outcome> Run(const CopyVerb& verb, OpContext& ctx);
Result<Outcome> Run(const ComposefsDigestVerb& verb, OpContext& ctx);

}  // namespace hostapp::cli

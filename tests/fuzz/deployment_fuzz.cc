// SPDX-License-Identifier: Apache-2.0
// deployment.json: whatever is on disk, it is refused as corrupt or understood; what is understood is written again as
// it was.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ostree-integration/sysroot/deployment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hostapp::Result<hostapp::Deployment> read = hostapp::ParseDeployment(text);
  if (!read.ok()) {
    if (read.error().code() != hostapp::Errc::kCorrupt) std::abort();
    return 0;
  }
  const std::string written = hostapp::DeploymentJson(*read);
  const hostapp::Result<hostapp::Deployment> again = hostapp::ParseDeployment(written);
  if (!again.ok() || hostapp::DeploymentJson(*again) != written) std::abort();
  return 0;
}

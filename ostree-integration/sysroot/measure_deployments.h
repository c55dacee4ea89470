// SPDX-License-Identifier: Apache-2.0
// `contents`: which objects a deployment's tree needs, in its folder, so that its size is known without a walk.
//
// Eight bytes "HSTCONT1", then for each object of the tree, once, in the order of the ids: the first eight bytes of its
// id, and the size of its content in bytes (both as numbers, big end first). Nothing but what people are told of sizes
// depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

inline constexpr const char* kContentsName = "contents";
inline constexpr std::string_view kContentsMagic = "HSTCONT1";
inline constexpr size_t kContentsRecordBytes = 16;

// One number of a record.
uint64_t ReadContentsNumber(const std::byte* at);

struct DeploymentSize {
  uint64_t total = 0;   // bytes of content of its tree, and of root.cfs
  uint64_t unique = 0;  // of those, what no other deployment shares: what its removal and a gc would free
};

// The sizes of all of them, in their order, one list after the other. Memory: about 50 bytes for each object that any
// of them has. A list that is missing or damaged is an error in its place, and counts for the others as far as it could
// be read.
std::vector<Result<DeploymentSize>> MeasureDeployments(const Sysroot& sysroot, std::span<const Deployment> deployments,
                                                       OpContext& ctx);

}  // namespace hostapp

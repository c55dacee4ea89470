// SPDX-License-Identifier: Apache-2.0
// What the running kernel and the store's file system can do of what deployments are made of and mounted with. Each is
// tried, as the helper would do it, and no version is asked for.
#pragma once

#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct Feature {
  enum class Answer { kYes, kNo, kNeedsRoot };

  std::string name;
  std::string meaning;  // for a person
  Answer answer = Answer::kNo;
  std::string detail;  // in the kernel's words, why not
};

// `store`: a folder of the store's file system, in which files are made for a moment. What is mounted is in a mount
// namespace that ends with this call, whatever happens: nothing is left behind. kNotFound: there is no such folder;
// kIo: the probe itself could not be made.
Result<std::vector<Feature>> ProbeFeatures(const std::string& store, OpContext& ctx);

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// Which kind of root a new deployment gets. What is in the image says what its kernel can mount: the one that runs now,
// on the device or where a disk is made, is another.
//
// A composefs root needs EROFS and overlayfs, and loop devices: a kernel that can mount EROFS from a file does without,
// but no file of an image says whether one can.
#pragma once

#include <optional>
#include <string>

#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

struct RootChoice {
  RootKind kind = RootKind::kComposefs;
  std::string reason;  // a sentence: why it is a checkout although nobody chose one; else empty
};

// `tree` is the commit's. `chosen`: by the operator, which is how it will be. Nobody's choice: composefs, if the image
// can have it. kCorrupt: a composefs root was chosen and the image cannot have one; loop devices are not asked for
// then.
Result<RootChoice> ChooseRoot(const ImageStore& store, const std::string& commit, const ImageTree& tree,
                              const std::string& kernel_version, std::optional<RootKind> chosen);

}  // namespace hostapp

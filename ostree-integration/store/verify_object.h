// SPDX-License-Identifier: Apache-2.0
// One object against its checksum. Private to this module.
#pragma once

#include "ostree-integration/store/check.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct ObjectState {
  std::optional<StoreProblem::Kind> problem;  // kMissingObject, kDamagedObject
  std::string why;
  uint64_t bytes = 0;
};

// Reads the object and computes its checksum with libcrypto: content, owner, mode, link target and extended attributes
// of a file or link, the bytes of everything else.
ObjectState VerifyObject(const ImageStore& store, const Sha256& id, std::string_view extension);

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// One object against its checksum. Private to this module.
#pragma once

#include <vector>

#include "ostree-integration/store/check.h"
#include "ostree-integration/store/inode.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct ObjectState {
  std::optional<StoreProblem::Kind> problem;  // kMissingObject, kDamagedObject
  std::string why;
  uint64_t bytes = 0;
};

// One thread's: what it reads with is kept from object to object.
class ObjectVerifier {
 public:
  // `store` outlives it.
  explicit ObjectVerifier(const ImageStore& store);

  // Reads the object and computes its checksum with libcrypto: content, owner, mode, link target and extended
  // attributes of a file or link, the bytes of everything else.
  ObjectState Verify(const Sha256& id, std::string_view extension);

 private:
  Result<Sha256> HashFileObject(const std::string& path, uint64_t& bytes);
  Result<Sha256> HashMetadata(const std::string& path, uint64_t& bytes);
  Status HashContent(int file, uint64_t& bytes);
  Result<Xattrs> ReadXattrs(const std::string& path);

  const ImageStore& store_;
  Hasher hasher_;
  std::vector<char> buffer_;
};

}  // namespace hostapp

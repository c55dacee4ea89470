// SPDX-License-Identifier: Apache-2.0
// Private to this module: what an ImageStore is made of, and the steps that several verbs share.
#pragma once

#include <ostree.h>

#include <map>
#include <string>
#include <string_view>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"
#include "ostree-integration/glib/cancellable.h"
#include "ostree-integration/glib/error.h"
#include "ostree-integration/glib/handles.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/ostree_format.h"

namespace hostapp {

inline constexpr std::string_view kLayerRefPrefix = "hostapp/layer/";
inline constexpr std::string_view kImageRefPrefix = "hostapp/image/";
inline constexpr const char* kImportLockName = "import.lock";

struct ImageStore::Impl {
  UniqueFd sysroot;
  UniqueFd tmp;      // hostapp/tmp
  UniqueFd objects;  // ostree/repo/objects
  glib::ObjectPtr<OstreeRepo> repo;
  bool verity = false;  // has_verity()
};

std::string LayerRef(const Digest& diff_id);
std::string ImageRef(const Digest& manifest_digest);
// The digest that a ref of ours ends in; 64 digits are SHA-256, 128 are SHA-512. kCorrupt for anything else.
Result<Digest> DigestOfRef(std::string_view ref, std::string_view prefix);

// The commit that a ref names; nothing when there is no such ref. kCorrupt: it is damaged.
Result<std::optional<std::string>> ResolveRef(const ImageStore& store, const std::string& ref);
// The same for who would write the ref again: nothing also where it is damaged.
Result<std::optional<std::string>> ResolveIntactRef(const ImageStore& store, const std::string& ref);
// Refs that begin with `prefix` ("" for all) and their commits.
Result<std::map<std::string, std::string>> ListRefs(const ImageStore& store, std::string_view prefix);

// A lock on the repository as `ostree prune` and others respect it, for as long as this lives.
class RepoLock {
 public:
  static Result<RepoLock> Acquire(const ImageStore& store, OstreeRepoLockType type, OpContext& ctx);
  RepoLock(RepoLock&& other) noexcept : repo_(std::move(other.repo_)), type_(other.type_) {}
  RepoLock& operator=(RepoLock&&) = delete;
  ~RepoLock();

 private:
  RepoLock(glib::ObjectPtr<OstreeRepo> repo, OstreeRepoLockType type) : repo_(std::move(repo)), type_(type) {}
  glib::ObjectPtr<OstreeRepo> repo_;
  OstreeRepoLockType type_;
};

bool HasObject(const ImageStore& store, const Sha256& id, std::string_view extension);

// Reads a metadata object and checks its shape (not its checksum). kNotFound, kCorrupt.
Result<glib::VariantPtr> LoadMetadata(const ImageStore& store, OstreeObjectType type, const Sha256& id);
Result<Sha256> ToObjectId(std::string_view hex);
// 32 bytes of a variant "ay". kCorrupt.
Result<Sha256> IdFromVariant(GVariant* ay);

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/store_impl.h"

#include <fcntl.h>
#include <unistd.h>

#include "hostapp/base/durable.h"

namespace hostapp {
namespace {

std::string_view Extension(OstreeObjectType type) { return ostree_object_type_to_string(type); }

const GVariantType* FormatOf(OstreeObjectType type) {
  switch (type) {
    case OSTREE_OBJECT_TYPE_DIR_TREE:
      return OSTREE_TREE_GVARIANT_FORMAT;
    case OSTREE_OBJECT_TYPE_DIR_META:
      return OSTREE_DIRMETA_GVARIANT_FORMAT;
    default:
      return OSTREE_COMMIT_GVARIANT_FORMAT;
  }
}

}  // namespace

std::string LayerRef(const Digest& diff_id) { return StrCat(kLayerRefPrefix, diff_id.Hex()); }
std::string ImageRef(const Digest& manifest_digest) { return StrCat(kImageRefPrefix, manifest_digest.Hex()); }

Result<Digest> DigestOfRef(std::string_view ref, std::string_view prefix) {
  const std::string_view hex = ref.substr(std::min(prefix.size(), ref.size()));
  return Digest::Parse(StrCat(hex.size() == 128 ? "sha512:" : "sha256:", hex)).While("reading the ref ", Escape(ref));
}

Result<RepoLock> RepoLock::Acquire(const ImageStore& store, OstreeRepoLockType type, OpContext& ctx) {
  glib::ErrorSlot error;
  glib::Cancellable cancellable(ctx.cancel);
  if (!ostree_repo_lock_push(store.impl().repo.get(), type, cancellable, error)) {
    TRY(ctx.cancel.Check());
    // Held by another is WOULD_BLOCK, which is kBusy; a lock file that cannot be opened is not.
    return error.Take(Errc::kIo).Prefix("locking the store's repository");
  }
  return RepoLock(glib::Ref(store.impl().repo.get()), type);
}

RepoLock::~RepoLock() {
  if (!repo_) return;
  glib::ErrorSlot error;
  // Nothing to be done about an error: the lock ends with the process at the latest.
  (void)ostree_repo_lock_pop(repo_.get(), type_, nullptr, error);
}

bool HasObject(const ImageStore& store, const Sha256& id, std::string_view extension) {
  return ::faccessat(store.impl().objects.get(), ObjectPath(id, extension).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<glib::VariantPtr> LoadMetadata(const ImageStore& store, OstreeObjectType type, const Sha256& id) {
  const std::string name = StrCat(Hex(id), ".", Extension(type));
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(store.impl().objects.get(), ObjectPath(id, Extension(type)), OSTREE_MAX_METADATA_SIZE)
                       .While("reading the object ", name));
  const glib::BytesPtr copy(g_bytes_new(bytes.data(), bytes.size()));
  glib::VariantPtr variant = glib::Sink(g_variant_new_from_bytes(FormatOf(type), copy.get(), FALSE));
  // What is not in normal form could be read as something else by another reader. To GLib no bytes at all are in normal
  // form, and an empty folder: gc would take what is in the real one for garbage.
  if (bytes.empty() || !g_variant_is_normal_form(variant.get())) {
    return Error(Errc::kCorrupt, StrCat("the object ", name, " is damaged: not a well-formed tree, folder or commit"));
  }
  return variant;
}

Result<Sha256> ToObjectId(std::string_view hex) {
  const std::optional<Sha256> id = ParseSha256(hex);
  if (!id) return Error(Errc::kInvalid, StrCat(Escape(hex), " is no object checksum: 64 hexadecimal digits wanted"));
  return *id;
}

Result<Sha256> IdFromVariant(GVariant* ay) {
  gsize size = 0;
  const void* bytes = g_variant_get_fixed_array(ay, &size, 1);
  Sha256 id;
  if (size != id.size()) return Error(Errc::kCorrupt, "an object has a checksum in it that is not 32 bytes long");
  std::memcpy(id.data(), bytes, id.size());
  return id;
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// Images and layers by their refs.
#include "ostree-integration/store/image_metadata.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {
namespace {

Result<std::string> BytesKey(GVariantDict* metadata, const char* key) {
  const glib::VariantPtr value = glib::Adopt(g_variant_dict_lookup_value(metadata, key, G_VARIANT_TYPE_BYTESTRING));
  if (!value) return Error(Errc::kCorrupt, StrCat("its commit has no ", key));
  return std::string(AsText(VariantBytes(value.get())));
}

Result<StoredImage> ParseStored(GVariantDict* metadata, const Digest& manifest_digest) {
  Document document;
  ASSIGN_OR_RETURN(document.media_type, BytesKey(metadata, kManifestTypeKey));
  ASSIGN_OR_RETURN(document.bytes, BytesKey(metadata, kManifestKey));
  ASSIGN_OR_RETURN(std::string config_bytes, BytesKey(metadata, kConfigKey));
  ASSIGN_OR_RETURN(Manifest manifest, ParseManifest(std::move(document)));
  const HashAlgorithm config_algorithm = manifest.config.digest.algorithm();
  if (Digest(HashOf(AsBytes(manifest.document.bytes), manifest_digest.algorithm())) != manifest_digest) {
    return Error(Errc::kCorrupt, "the manifest in its commit has another digest");
  }
  if (Digest(HashOf(AsBytes(config_bytes), config_algorithm)) != manifest.config.digest) {
    return Error(Errc::kCorrupt, "the config in its commit has another digest");
  }
  ASSIGN_OR_RETURN(ImageConfig config, ParseImageConfig(std::move(config_bytes), manifest.layers.size()));
  return StoredImage{std::move(manifest), std::move(config)};
}

Result<StoredImage> LoadFrom(const ImageStore& store, const std::string& commit, const Digest& manifest_digest) {
  ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
  ASSIGN_OR_RETURN(const glib::VariantPtr variant, LoadMetadata(store, OSTREE_OBJECT_TYPE_COMMIT, id));
  const glib::VariantPtr metadata = glib::Adopt(g_variant_get_child_value(variant.get(), 0));
  GVariantDict dict;
  g_variant_dict_init(&dict, metadata.get());
  Result<StoredImage> image = ParseStored(&dict, manifest_digest);
  g_variant_dict_clear(&dict);
  return std::move(image).While("image ", manifest_digest.ToString());
}

Result<ImageInfo> InfoFrom(const ImageStore& store, const std::string& commit, const Digest& manifest_digest) {
  ASSIGN_OR_RETURN(const StoredImage image, LoadFrom(store, commit, manifest_digest));
  return ImageInfo{.manifest_digest = manifest_digest,
                   .commit = commit,
                   .version = image.config.version(),
                   .created = image.config.created,
                   .diff_ids = image.config.diff_ids};
}

}  // namespace

Result<std::optional<ImageInfo>> FindImage(const ImageStore& store, const Digest& manifest_digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> commit, ResolveRef(store, ImageRef(manifest_digest)));
  if (!commit) return std::optional<ImageInfo>();
  ASSIGN_OR_RETURN(ImageInfo info, InfoFrom(store, *commit, manifest_digest));
  return std::optional<ImageInfo>(std::move(info));
}

Result<std::vector<ImageInfo>> ListImages(const ImageStore& store) {
  ASSIGN_OR_RETURN(const auto refs, ListRefs(store, kImageRefPrefix));
  std::vector<ImageInfo> out;
  for (const auto& [ref, commit] : refs) {
    ASSIGN_OR_RETURN(const Digest digest, DigestOfRef(ref, kImageRefPrefix));
    ASSIGN_OR_RETURN(ImageInfo info, InfoFrom(store, commit, digest));
    out.push_back(std::move(info));
  }
  return out;
}

Result<std::optional<LayerInfo>> FindLayer(const ImageStore& store, const Digest& diff_id) {
  ASSIGN_OR_RETURN(const std::optional<std::string> commit, ResolveRef(store, LayerRef(diff_id)));
  if (!commit) return std::optional<LayerInfo>();
  return std::optional<LayerInfo>(LayerInfo{diff_id, *commit});
}

Result<std::vector<LayerInfo>> ListLayers(const ImageStore& store) {
  ASSIGN_OR_RETURN(const auto refs, ListRefs(store, kLayerRefPrefix));
  std::vector<LayerInfo> out;
  for (const auto& [ref, commit] : refs) {
    ASSIGN_OR_RETURN(const Digest diff_id, DigestOfRef(ref, kLayerRefPrefix));
    out.push_back({diff_id, commit});
  }
  return out;
}

Result<StoredImage> LoadImage(const ImageStore& store, const Digest& manifest_digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> commit, ResolveRef(store, ImageRef(manifest_digest)));
  if (!commit) {
    return Error(Errc::kNotFound, StrCat("the store does not have the image ", manifest_digest.ToString()));
  }
  return LoadFrom(store, *commit, manifest_digest);
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/merge.h"

#include <algorithm>

#include "ostree-integration/store/host_tree.h"
#include "ostree-integration/store/image_metadata.h"
#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/import_set.h"
#include "ostree-integration/store/tree_writer.h"

namespace hostapp {
namespace {

GVariant* Bytes(std::string_view text) {
  return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, text.data(), text.size(), 1);
}

glib::VariantPtr ImageMetadata(const Manifest& manifest, const ImageConfig& config) {
  GVariantBuilder builder;
  g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add(&builder, "{sv}", kConfigKey, Bytes(config.bytes));
  g_variant_builder_add(&builder, "{sv}", kManifestKey, Bytes(manifest.document.bytes));
  g_variant_builder_add(&builder, "{sv}", kManifestTypeKey, Bytes(manifest.document.media_type));
  if (const std::optional<std::string> version = config.version(); version && IsValidUtf8(*version)) {
    g_variant_builder_add(&builder, "{sv}", kVersionKey, g_variant_new_string(version->c_str()));
  }
  return glib::Sink(g_variant_builder_end(&builder));
}

}  // namespace

Result<std::string> WriteMerged(ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                                const ObjectSet& damaged, OpContext& ctx, ImportReport* report) {
  ASSIGN_OR_RETURN(const RepoLock lock, RepoLock::Acquire(store, OSTREE_REPO_LOCK_SHARED, ctx));
  std::vector<std::string> left_out;
  std::set<Digest> counted;  // an image may have a layer twice
  const auto count = [&](const LayerIndex& layer) {
    if (report == nullptr || report->imported.contains(layer.diff_id)) return;
    if (!counted.insert(layer.diff_id).second) return;
    report->reused_bytes += ContentBytes(layer.root);
    AddDropped(DroppedOf(layer), *report);
  };
  ASSIGN_OR_RETURN(const Node tree,
                   HostTree(store, config, left_out, ctx, count).While("merging ", manifest.digest.Short()));
  for (const std::string& line : left_out) ctx.log.Warning(StrCat(manifest.digest.Short(), ": ", line));
  ASSIGN_OR_RETURN(const std::unique_ptr<ObjectStage> stage,
                   ObjectStage::Begin(store, StrCat("stage-", manifest.digest.Hex()), damaged, ctx));
  ASSIGN_OR_RETURN(const TreeIds root, WriteTree(*stage, tree));
  CommitFields fields;
  fields.metadata = ImageMetadata(manifest, config);
  fields.subject = StrCat("image ", manifest.digest.ToString());
  // The image's own time, never the clock's: a retry makes the same commit.
  fields.timestamp = static_cast<uint64_t>(std::max<int64_t>(0, config.created.value_or(0)));
  fields.root_tree = root.tree;
  fields.root_meta = root.meta;
  ASSIGN_OR_RETURN(const Sha256 commit, stage->AddCommit(fields, ImageRef(manifest.digest)));
  TRY(stage->Publish());
  return Hex(commit);
}

Result<std::string> MergeImage(ImageStore& store, const Manifest& manifest, const ImageConfig& config, OpContext& ctx,
                               ImportReport* report) {
  ASSIGN_OR_RETURN(const std::optional<std::string> there, ResolveIntactRef(store, ImageRef(manifest.digest)));
  if (there) return *there;
  return WriteMerged(store, manifest, config, {}, ctx, report);
}

Result<bool> IsMerged(const ImageStore& store, const Digest& manifest_digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> there, ResolveIntactRef(store, ImageRef(manifest_digest)));
  return there.has_value();
}

}  // namespace hostapp

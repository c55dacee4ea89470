// SPDX-License-Identifier: Apache-2.0
// From layers to the tree that is deployed: names and checksums only, no file is read.
#pragma once

#include <string>

#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/import.h"

namespace hostapp {

// Merges the image's layers (all in the store: ImportImage()) and writes the tree, its commit and the ref
// `hostapp/image/<manifest-digest hex>`; returns the commit. IsMerged(): returns what is there. A pure function of the
// image: every device and every retry gets the same commit.
//
// The tree: whiteouts and opaque folders applied layer by layer as OCI image-spec "layer.md" says; a path below a lower
// layer's file or link without a folder entry of its own is kCorrupt; `etc` becomes `usr/etc` and an empty `etc` stays
// as mount point; what is below dev, proc, sys, run and tmp is left out; missing mount points are added (kMountPoints).
// kCorrupt also where a host image has something else than a folder at one of these (except the link `ostree ->
// sysroot/ostree`), or both an `etc` and a `usr/etc` with content, or a folder has more entries than a tree object
// holds. kNotFound: a layer is missing.
//
// `report` is ImportImage()'s for this image: what of its layers was there before is added, how much content the device
// had, and what of it is not shown.
//
// Commit point: the ref. A crash before leaves unreferenced objects at most.
Result<std::string> MergeImage(ImageStore& store, const Manifest& manifest, const ImageConfig& config, OpContext& ctx,
                               ImportReport* report = nullptr);

// Whether the image's ref is there, and not damaged: MergeImage() writes that again.
Result<bool> IsMerged(const ImageStore& store, const Digest& manifest_digest);

}  // namespace hostapp

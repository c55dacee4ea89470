// SPDX-License-Identifier: Apache-2.0
// A bootable image of a few kilobytes, in a layout directory, made without any other tool: two layers (one that stays
// between releases, one that changes), a kernel that has nothing but its header, an initramfs, an init, /etc and kernel
// arguments. By default it can have a composefs root.
//
//   WriteTinyImage(dir / "images", "stable", {.release = "1"});
//   hostapp deploy oci:<dir>/images:stable
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hostapp::testing {

struct TinyImage {
  std::string release = "1";                  // the content of usr/share/release, and the version label
  std::string initramfs = "an initramfs";     // another one makes another boot set
  std::string kernel_version = "6.1.0-tiny";  // empty: no kernel and no initramfs
  std::string kernel;                         // empty: TinyKernel()
  // The kernel's modules.builtin; empty: there is none, and nobody knows what the kernel can do.
  std::string built_in = "kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\nkernel/drivers/block/loop.ko\n";
  bool has_init = true;
  std::vector<std::pair<std::string, std::string>> more_files = {};  // path and content, into the upper layer
};

// 8 KiB that a boot loader on x86 and one on arm64 would take for a kernel.
std::string TinyKernel();

// The two layers, as plain tars.
std::string TinyBaseLayer(const TinyImage& image);
std::string TinyTopLayer(const TinyImage& image);

// Adds the image to the layout directory `dir` (made when missing) and lets `tag` name it, whatever it named before.
// Returns its manifest's digest, "sha256:…".
std::string WriteTinyImage(const std::string& dir, const std::string& tag, const TinyImage& image);

// The same for any layers and annotations of the manifest.
std::string WriteImage(const std::string& dir, const std::string& tag, const std::vector<std::string>& layer_tars,
                       const std::string& version,
                       const std::vector<std::pair<std::string, std::string>>& manifest_annotations = {});

}  // namespace hostapp::testing

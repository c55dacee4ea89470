// SPDX-License-Identifier: Apache-2.0
// Mounts a composefs image: EROFS has the names and the metadata, overlayfs takes the files' contents from the store.
//
// How depends on the kernel, which is tried and never asked for its version:
//
//   the image   by a loop device; where there is none, by the kernel's own reading of the file (Linux 6.12): that
//               counts as one more file system of a stack that may have two, and an overlay above may be refused
//   the store   as a data-only lower layer (Linux 6.5), of which nothing but contents is ever visible; else as an
//               ordinary lower layer, whose folders 00 to ff the image hides by whiteouts
#pragma once

#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

enum class ImageBy : uint8_t { kLoop, kFile };
enum class StoreAs : uint8_t { kDataOnly, kOrdinary };

struct ComposefsWay {
  ImageBy image = ImageBy::kLoop;
  StoreAs store = StoreAs::kDataOnly;
};
std::string_view ImageByName(ImageBy by);  // as in /run/hostapp/boot
std::string_view StoreAsName(StoreAs as);

// Mounts the open file `image`, whose digest the caller has checked, on the folder `target`, read-only, with the
// contents below the folder `objects`. `name` is the image's, for losetup. On false nothing is left mounted.
bool MountComposefs(int image, std::string_view name, const char* objects, const char* target, ComposefsWay& way,
                    Problem& why);

}  // namespace hostapp::initramfs

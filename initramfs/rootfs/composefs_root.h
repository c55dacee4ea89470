// SPDX-License-Identifier: Apache-2.0
// Mounts a composefs image: EROFS has the names and the metadata, overlayfs takes the files' contents from the store.
//
// How depends on the kernel, which is tried and never asked for its version:
//
//   the image   by a loop device; where there is none, by the kernel's own reading of the file (Linux 6.12): that
//               counts as one more file system of a stack that may have two, and an overlay above may be refused
//   the store   where the image file has fs-verity, all files of its store have it: as a data-only lower layer whose
//               files overlayfs opens only with the fs-verity digest that the image has for them (Linux 6.6); else as a
//               data-only lower layer (Linux 6.5), of which nothing but contents is ever visible; else as an ordinary
//               lower layer, whose folders 00 to ff the image hides by whiteouts
#pragma once

#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

enum class ImageBy : uint8_t { kLoop, kFile };
enum class StoreAs : uint8_t { kVerified, kDataOnly, kOrdinary };

struct ComposefsWay {
  ImageBy image = ImageBy::kLoop;
  StoreAs store = StoreAs::kDataOnly;
};
std::string_view ImageByName(ImageBy by);  // as in /run/hostapp/boot
std::string_view StoreAsName(StoreAs as);

// What is mounted where. Paths without comma, colon and backslash.
struct ComposefsMount {
  int image;            // open for reading; the caller has checked its digest
  const char* name;     // of the image: what losetup and /proc/self/mountinfo call it
  const char* objects;  // the folder that has the contents
  const char*
      place;  // an empty folder for the image alone, for as long as the overlay is made; the overlay then keeps it
  const char* target;
};

// Mounts it on `target`, read-only. On false nothing is left mounted.
bool MountComposefs(const ComposefsMount& what, ComposefsWay& way, Problem& why);

}  // namespace hostapp::initramfs

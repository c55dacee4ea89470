// SPDX-License-Identifier: Apache-2.0
// Copies of whole trees: owner, mode, times and extended attributes kept, never through a link, never a hard link to
// the source (the store's objects must not become writable under another name).
#pragma once

#include <cstdint>

#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

struct CopyStats {
  uint32_t entries = 0;
  uint32_t skipped = 0;  // devices, sockets and pipes: what makes them makes them again
};

// What a copy is for decides what of overlayfs's own marks is kept.
enum class CopyKind : uint8_t {
  kPlain,         // a tree for itself: no marks
  kOverlayUpper,  // the changes of an overlay: whiteouts and opaque marks are kept, all other marks are not
};

// Copies what is inside of the folder `source` into the empty folder `target`, and the folder's own attributes.
bool CopyTree(int source, int target, CopyKind kind, CopyStats& stats, Problem& why);

// Owner, mode, extended attributes and times of the folder `source`, without overlayfs's marks.
bool CopyAttributes(int source, int target, Problem& why);

// The same as CopyTree() into `parent`/`name`, complete under that name or not there: made as `scratch`/`scratch_name`,
// synced, then renamed; both folders are synced. An empty folder that is in the way is replaced. `fill` is called with
// the descriptor of the new folder.
template <typename Fill>
bool MakeComplete(int scratch, const char* scratch_name, int parent, const char* name, Fill fill, Problem& why);

// The tree that an overlay of `lower` and the changes `upper` shows, as plain files.
bool MergeOverlay(int lower, int upper, int target, CopyStats& stats, Problem& why);

// The changes that make `changed` out of `lower`, in the form of an overlay's upper folder.
bool DiffToUpper(int lower, int changed, int target, CopyStats& stats, Problem& why);

namespace internal {
bool BeginComplete(int scratch, const char* scratch_name, int& folder, Problem& why);
bool FinishComplete(int scratch, const char* scratch_name, int folder, int parent, const char* name, Problem& why);
}  // namespace internal

template <typename Fill>
bool MakeComplete(int scratch, const char* scratch_name, int parent, const char* name, Fill fill, Problem& why) {
  int folder = -1;
  if (!internal::BeginComplete(scratch, scratch_name, folder, why)) return false;
  const bool filled = fill(folder);
  return internal::FinishComplete(scratch, filled ? scratch_name : nullptr, folder, parent, name, why) && filled;
}

}  // namespace hostapp::initramfs

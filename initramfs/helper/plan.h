// SPDX-License-Identifier: Apache-2.0
// Which mounts on a deployment's tree make it the root: a list, made without touching anything, so that tables test it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "initramfs/bootsel/ledger.h"
#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/problem.h"
#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {

// The places of a tree that the plan depends on.
enum class Place : uint8_t {
  kUsr,  // must be a folder: through a link, /usr/etc could be anybody's
  kEtc,
  kUsrEtc,
  kVar,
  kSysroot,
  kProc,
  kSys,
  kDev,
  kRun,
  kTmp,
  kHome,
  kRoot,
  kSrv,
  kOpt,
  kUsrLocal,
};
inline constexpr size_t kPlaces = 15;
const char* PlacePath(Place place);  // "etc", "usr/etc", …

struct PlaceFacts {
  EntryKind kind = EntryKind::kMissing;
  bool empty = false;  // for folders
};

struct TreeFacts {
  std::array<PlaceFacts, kPlaces> places{};
  const PlaceFacts& operator[](Place place) const { return places[static_cast<size_t>(place)]; }
  PlaceFacts& operator[](Place place) { return places[static_cast<size_t>(place)]; }
};

// `tree` is the deployment's root folder.
TreeFacts LookAtTree(int tree);

enum class StepKind : uint8_t {
  kEtc,         // overlay of the image's /usr/etc and the deployment's changes, or its real copy
  kPersistent,  // bound from hostapp/var, writable, after being filled from the image if it is not there yet
  kTmpfs,
};

struct Step {
  StepKind kind = StepKind::kTmpfs;
  const char* target = "";  // below the new root
  const char* source = "";  // kPersistent: below hostapp; the image's folder that fills it is `target`
};

struct MountPlan {
  bootsel::Serial serial = bootsel::kNoSerial;
  std::array<Step, 12> steps{};
  size_t count = 0;

  std::span<const Step> Steps() const { return std::span(steps).first(count); }
};

// The order is the order of mounting. Refused, with the reason, if a mount point that cannot be done without is
// missing: merging layers adds them, so a tree without one is damaged or not an image's.
bool MakePlan(bootsel::Serial serial, const TreeFacts& tree, MountPlan& plan, Problem& why);

}  // namespace hostapp::initramfs

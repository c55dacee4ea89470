// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/plan.h"

namespace hostapp::initramfs {
namespace {

constexpr Place kNeeded[] = {Place::kUsr,  Place::kEtc, Place::kUsrEtc, Place::kVar, Place::kSysroot,
                             Place::kProc, Place::kSys, Place::kDev,    Place::kRun, Place::kTmp};

constexpr Place kAllPlaces[] = {Place::kUsr,  Place::kEtc,  Place::kUsrEtc, Place::kVar, Place::kSysroot,
                                Place::kProc, Place::kSys,  Place::kDev,    Place::kRun, Place::kTmp,
                                Place::kHome, Place::kRoot, Place::kSrv,    Place::kOpt, Place::kUsrLocal};
static_assert(std::size(kAllPlaces) == kPlaces);

// Folders of the root that live in /var. One that the image links (to var/home, as OSTree systems do) or does not have
// is the image's business.
struct Bound {
  Place place;
  const char* source;
  bool only_if_empty;  // a folder with content is the image's and stays
};
constexpr Bound kBound[] = {
    {Place::kHome, "var/home", false}, {Place::kRoot, "var/roothome", false},    {Place::kSrv, "var/srv", false},
    {Place::kOpt, "var/opt", true},    {Place::kUsrLocal, "var/usrlocal", true},
};

void Add(MountPlan& plan, const Step& step) { plan.steps[plan.count++] = step; }

}  // namespace

const char* PlacePath(Place place) {
  constexpr std::array<const char*, kPlaces> kPaths = {"usr",  "etc",  "usr/etc", "var", "sysroot",
                                                       "proc", "sys",  "dev",     "run", "tmp",
                                                       "home", "root", "srv",     "opt", "usr/local"};
  return kPaths[static_cast<size_t>(place)];
}

TreeFacts LookAtTree(int tree) {
  TreeFacts facts;
  for (const Place place : kAllPlaces) {
    facts[place].kind = KindAt(tree, PlacePath(place));
    const bool folder = facts[place].kind == EntryKind::kDirectory;
    const bool matters = place == Place::kOpt || place == Place::kUsrLocal;
    facts[place].empty = folder && matters && IsEmptyDirectory(tree, PlacePath(place));
  }
  return facts;
}

bool MakePlan(bootsel::Serial serial, const TreeFacts& tree, MountPlan& plan, Problem& why) {
  for (const Place place : kNeeded) {
    if (tree[place].kind == EntryKind::kDirectory) continue;
    return why.Is("deployment ", serial, ": its tree has no folder /", PlacePath(place));
  }
  plan = MountPlan{};
  plan.serial = serial;
  Add(plan, {.kind = StepKind::kEtc, .target = "etc"});
  Add(plan, {.kind = StepKind::kPersistent, .target = "var", .source = "var"});
  for (const Bound& bound : kBound) {
    const PlaceFacts& facts = tree[bound.place];
    if (facts.kind != EntryKind::kDirectory || (bound.only_if_empty && !facts.empty)) continue;
    Add(plan, {.kind = StepKind::kPersistent, .target = PlacePath(bound.place), .source = bound.source});
  }
  Add(plan, {.kind = StepKind::kTmpfs, .target = "tmp"});
  return true;
}

}  // namespace hostapp::initramfs

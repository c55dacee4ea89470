// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot_plan.h"

#include <algorithm>
#include <set>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

SystemdBootSortable SortableOf(const SystemdBootFile& file) {
  SystemdBootSortable sortable{.id = file.file,
                               .sort_key = SystemdBootSortKey(file.name.sequence),
                               .machine_id = {},
                               .version = {},
                               .tries_left = {},
                               .tries_done = file.name.tries_done};
  if (file.name.tries_left) sortable.tries_left = static_cast<uint64_t>(*file.name.tries_left);
  return sortable;
}

bool IsAsWanted(const SystemdBootFile& file, const SystemdBootWanted& wanted) {
  return file.name.serial == wanted.entry.serial && file.name.tries_left == wanted.tries &&
         file.text == SystemdBootText(wanted.entry, file.name.sequence);
}

bool IsKept(const SystemdBootFile& file, const std::vector<SystemdBootWanted>& wanted) {
  if (!file.whole || !file.marked || file.name.tries_left) return false;
  return std::none_of(wanted.begin(), wanted.end(),
                      [&](const auto& one) { return one.entry.serial == file.name.serial; });
}

// The newest file that is as wanted; it must sort before what comes after it: have a greater number than `above`.
const SystemdBootFile* Find(const std::vector<SystemdBootFile>& files, const SystemdBootWanted& wanted,
                            std::optional<uint64_t> above) {
  const SystemdBootFile* best = nullptr;
  for (const SystemdBootFile& file : files) {
    if (!IsAsWanted(file, wanted) || (above && file.name.sequence <= *above)) continue;
    if (best == nullptr || best->name.sequence < file.name.sequence) best = &file;
  }
  return best;
}

}  // namespace

Result<SystemdBootPlan> PlanSystemdBoot(const std::vector<SystemdBootFile>& files,
                                        const std::vector<SystemdBootWanted>& wanted) {
  SystemdBootPlan plan;
  std::set<std::string> kept;
  std::optional<uint64_t> above;  // the greatest number of what comes later
  uint64_t last = 0;
  for (const SystemdBootFile& file : files) {
    last = std::max(last, file.name.sequence);
    if (!IsKept(file, wanted)) continue;
    kept.insert(file.file);
    above = std::max(above.value_or(0), file.name.sequence);
  }
  for (auto one = wanted.rbegin(); one != wanted.rend(); ++one) {
    if (const SystemdBootFile* found = Find(files, *one, above); found != nullptr) {
      kept.insert(found->file);
      above = found->name.sequence;
      continue;
    }
    if (last == kMaxSystemdBootSequence) {
      return Error(Errc::kCorrupt, StrCat("an entry of systemd-boot has the last number there is, ", last,
                                          "; remove it from loader/entries"));
    }
    above = ++last;
    const SystemdBootName name{
        .serial = one->entry.serial, .sequence = last, .tries_left = one->tries, .tries_done = 0};
    plan.added.push_back({.file = EncodeSystemdBootName(name), .text = SystemdBootText(one->entry, last)});
  }
  for (const SystemdBootFile& file : files) {
    if (!kept.contains(file.file)) plan.removed.push_back(file.file);
  }
  return plan;
}

std::vector<SystemdBootFile> InSystemdBootOrder(std::vector<SystemdBootFile> files) {
  std::erase_if(files, [](const SystemdBootFile& file) { return !file.whole; });
  std::stable_sort(files.begin(), files.end(), [](const SystemdBootFile& a, const SystemdBootFile& b) {
    return SystemdBootTakesFirst(SortableOf(a), SortableOf(b));
  });
  return files;
}

}  // namespace hostapp

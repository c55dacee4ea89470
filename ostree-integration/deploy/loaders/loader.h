// SPDX-License-Identifier: Apache-2.0
// What hostapp needs of a boot loader. One adapter a loader, one suite of tests for all of them.
//
// The boot ledger decides what boots; a loader follows it, and counts the trial's starts by itself, because a kernel
// that hangs never reaches the helper. Whatever happens to a loader's own state, it goes on starting the known good
// deployment, or, when it cannot know which that is, one that was once marked good.
//
// Every adapter writes to the boot file system only, and only in ways that a loader sees which replays no journal and
// that a power cut leaves either done or not done: new names for what is added, blocks of a fixed place overwritten.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "ostree-integration/deploy/loaders/boot_entry.h"

namespace hostapp {

enum class LoaderKind { kNone, kGrub, kSystemdBoot, kUboot };
std::string_view LoaderName(LoaderKind kind);  // as in --loader: "none", "grub", "systemd-boot", "uboot"
std::optional<LoaderKind> ParseLoaderName(std::string_view name);

inline constexpr int kMaxLoaderTries = 9;

// What a loader will do next, as its own state says.
struct LoaderState {
  struct Trial {
    uint64_t serial = 0;
    int tries_left = 0;  // 0: used up; the default is started
    bool operator==(const Trial&) const = default;
  };
  uint64_t default_serial = 0;  // 0: it does not say, and starts a proven one
  std::optional<Trial> trial;
  std::vector<uint64_t> entries;  // those it could start, lowest serial first
  std::vector<uint64_t> proven;   // those of them with a mark of goodness
  std::string damaged;            // what of its state is damaged while a copy of it counts; "": nothing
  bool operator==(const LoaderState&) const = default;
};

class Loader {
 public:
  virtual ~Loader() = default;
  virtual LoaderKind kind() const = 0;

  // kInvalid, with the rule, for an entry that this loader could not start as it is meant (an argument that it cannot
  // pass on). Before anything is written.
  virtual Status Check(const BootEntry& entry) const = 0;

  // Adds what the loader needs to start `entry`, whose boot set is there already, and makes both visible to it. Nothing
  // is started because of it. Ok when it is there; kNoSpace; kIo. On an error at most unfinished names are left, which
  // Remove() takes.
  virtual Status Stage(const BootEntry& entry, OpContext& ctx) = 0;

  // From now on: `trial` is started next, at most `tries` times (0..9) counted by the loader before each start,
  // otherwise `fallback`. Both are staged. One write that is done or not done; what the loader did before is forgotten.
  virtual Status Arm(const BootEntry& fallback, const BootEntry& trial, int tries, OpContext& ctx) = 0;

  // From now on `entry`, which is staged, is started, and no trial; if it is proven, it gets its mark of goodness
  // first. A mark that cannot be made (a new file, and the disk is full) is the error in the end, but keeps neither
  // this nor Arm() from the rest, which may need no space: the mark counts only where the loader's state is lost.
  virtual Status Bless(const BootEntry& entry, OpContext& ctx) = 0;

  // `entry`, which is staged, gets its mark of goodness if it is proven: it may be started when the loader has lost its
  // state. What is started now stays as it is.
  virtual Status Mark(const BootEntry& entry, OpContext& ctx) = 0;

  // What the loader's state says. Damage is no error: what cannot be understood is absent from the answer.
  virtual Result<LoaderState> Read() const = 0;

  // Forgets an entry that neither the default nor the trial is; its boot set stays. Ok when there is none.
  virtual Status Remove(uint64_t serial, OpContext& ctx) = 0;
};

// The adapter for what is on the boot file system `boot` (the folder above hostapp/), which outlives it. For kNone,
// where the kernel comes from outside, every call is ok and does nothing.
std::unique_ptr<Loader> MakeLoader(LoaderKind kind, int boot);

}  // namespace hostapp

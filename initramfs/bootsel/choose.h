// SPDX-License-Identifier: Apache-2.0
// What boots: a pure function of the ledger, of what the boot entry asked for, and of what is on disk. No system calls,
// so that tests enumerate it.
//
// How a boot goes: gather the facts; Choose(); write LedgerAfter() durably, if it differs; then do what was chosen. If
// the write does not succeed, Choose() again with `ledger_writable` false. If the deployment turns out not to be
// bootable, end the trial if it was one (transitions.h), mark it `unbootable` among the facts, and Choose() again:
// every round takes one candidate away, so this ends.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "initramfs/bootsel/ledger.h"

namespace hostapp::bootsel {

// From the kernel command line (cmdline.h). kNoSerial: nothing was asked for, the kernel came from outside.
struct Asked {
  Serial serial = kNoSerial;
  Digest boot_set;  // the running kernel's, since the entry that named it started it

  bool Any() const { return serial != kNoSerial; }
  friend bool operator==(const Asked&, const Asked&) = default;
};

// One deployment folder. What is not listed does not exist. Only those that the ledger names, the one asked for and,
// when the default may have to give way or the ledger is lost, all proven ones need to be listed, in any order.
struct DeploymentFacts {
  Serial serial = kNoSerial;
  bool complete = false;    // has its deployment.json
  bool proven = false;      // has its mark of goodness
  bool unbootable = false;  // was tried in this very boot and could not be mounted
  bool has_boot_set = false;
  Digest boot_set;          // from deployment.json
  ManifestDigest manifest;  // from deployment.json
};

struct Facts {
  bool ledger_writable = true;
  bool attempt_counted = false;  // the ledger has this very boot among its attempts: a second Choose() counts no second
  std::span<const DeploymentFacts> deployments;
};

enum class Action : uint8_t {
  kBoot,     // Choice::serial, under the running kernel
  kRestart,  // so that the loader starts the kernel of Choice::serial
  kNothingBootable,
};

enum class Reason : uint8_t {
  kTrial,
  kAskedFor,           // another deployment than trial and default, by its own entry
  kDefault,            // nothing else to consider
  kNoTriesLeft,        // the trial was asked for, or due, and has used them up
  kNoSuchDeployment,   // what was asked for does not exist, is no longer on trial, or has failed
  kForeignKernel,      // what was asked for did not bring the running kernel
  kLedgerNotWritable,  // what cannot be counted is not tried
  kLedgerLost,         // both slots; proven deployments only
  kDefaultGaveWay,     // three boots of the default in a row have not reached user space, or it cannot be booted
};
std::string_view ReasonName(Reason reason);  // kebab-case, as in /run/hostapp/boot

// Whose kernel is running, seen from the deployment that was chosen.
enum class Kernel : uint8_t {
  kOwn,      // the boot set that the deployment brought
  kOutside,  // nothing was asked for: no boot set is known
  kForeign,  // another boot set: nothing may be marked good in this boot
};
std::string_view KernelName(Kernel kernel);

struct Choice {
  Action action = Action::kNothingBootable;
  Serial serial = kNoSerial;
  Reason reason = Reason::kDefault;
  Kernel kernel = Kernel::kOutside;
  bool takes_try = false;             // the trial's; durably, before anything of it is opened
  bool counts_attempt = false;        // of the default, unless a foreign kernel may be why it does not get there
  bool remakes_ledger = false;        // both slots were lost
  std::optional<Cause> trial_failed;  // the ledger's trial is over, and why
  friend bool operator==(const Choice&, const Choice&) = default;
};

inline constexpr uint32_t kAttemptsPerCandidate = 3;  // boots that may fail before the default gives way
inline constexpr uint32_t kMaxForeignRestarts = 3;    // even if it is another foreign kernel each time

// `ledger` is null when both slots are lost.
Choice Choose(const Ledger* ledger, const Asked& asked, const Facts& facts);

// The ledger to write before the choice is acted on. The generation is one higher if anything else changed; if nothing
// did, the result equals *ledger and nothing has to be written. `now`: none when the clock is before the build.
Ledger LedgerAfter(const Ledger* ledger, const Asked& asked, const Facts& facts, const Choice& choice,
                   std::optional<int64_t> now);

}  // namespace hostapp::bootsel

// SPDX-License-Identifier: Apache-2.0
// The device's tree on the physical root file system, and proof that a part of it is locked.
//
//   ostree/repo/                    the store                    (ostree-integration/store)
//   hostapp/boot-ledger             what boots                   (ledger_file.h)
//   hostapp/deployments/<serial>/   deployments                  (deployment.h)
//   hostapp/var/                    /var of every deployment
//   hostapp/tmp/                    unfinished work
//   hostapp/{store,ledger}.lock     held by whoever changes the store, the ledger
#pragma once

#include <memory>
#include <string>

#include "hostapp/base/file_lock.h"
#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"
#include "ostree-integration/sysroot/boot_mount.h"

namespace hostapp {

inline constexpr const char* kHostappDir = "hostapp";
inline constexpr const char* kDeploymentsDir = "hostapp/deployments";
inline constexpr const char* kVarDir = "hostapp/var";
inline constexpr const char* kTmpDir = "hostapp/tmp";
inline constexpr const char* kLedgerName = "boot-ledger";  // in hostapp/
inline constexpr const char* kBootSetsDir = "hostapp";     // on /boot
inline constexpr const char* kBootRecordPath = "/run/hostapp/boot";

// Where a sysroot is. On a booted device: FindBootedPaths().
struct SysrootPaths {
  std::string root;                             // the physical root file system
  std::string boot;                             // the file system that holds boot sets; may be a folder of `root`;
                                                // empty: it is not mounted, and `root` has no folder for it
  std::shared_ptr<const BootMount> boot_mount;  // keeps `boot` mounted, where it is not anyway
  std::string boot_record;                      // what the helper wrote at this boot; empty: not the running system
  std::string efivars;                          // the firmware's variables; empty: not to be touched
};

// Whether a boot file system of its own, as loader.json names it, is mounted while the paths are held.
enum class BootNeed { kNothing, kBoot };

// The running device's: /sysroot, and the boot file system that loader.json names; without one /boot where that is a
// file system of its own, else /sysroot/boot. kNotFound off the device, or without the partition that is named.
Result<SysrootPaths> FindBootedPaths(BootNeed need, OpContext& ctx);

class Sysroot {
 public:
  // Opens what Init() made. kNotFound, with what to do, when there is no such tree. Without `paths.boot` what is about
  // the ledger and deployments works, and OpenLoader() has nothing to tell a boot loader.
  static Result<Sysroot> Open(const SysrootPaths& paths, OpContext& ctx);

  int root() const { return root_.get(); }
  int boot() const { return boot_.get(); }  // -1 where has_boot() is false
  bool has_boot() const { return boot_.valid(); }
  int hostapp() const { return hostapp_.get(); }
  int deployments() const { return deployments_.get(); }
  const SysrootPaths& paths() const { return paths_; }

 private:
  Sysroot() = default;

  SysrootPaths paths_;
  UniqueFd root_;
  UniqueFd boot_;
  UniqueFd hostapp_;
  UniqueFd deployments_;
};

// Makes the folders of an empty sysroot, `paths.root` itself too; durable. What exists already stays as it is.
Status MakeSysrootDirs(const SysrootPaths& paths, OpContext& ctx);

// Proof that nobody else changes the store or makes deployments: pull, deploy's fetch, gc, repair. Held for long.
// Taken before LedgerLock where both are needed.
class StoreLock {
 public:
  // kBusy at once when another process has it.
  static Result<StoreLock> Acquire(const Sysroot& sysroot, OpContext& ctx);

 private:
  explicit StoreLock(FileLock lock) : lock_(std::move(lock)) {}
  FileLock lock_;
};

// Proof that nobody else changes the ledger. Held for milliseconds; waits for the one before.
class LedgerLock {
 public:
  static Result<LedgerLock> Acquire(const Sysroot& sysroot, OpContext& ctx);

 private:
  explicit LedgerLock(FileLock lock) : lock_(std::move(lock)) {}
  FileLock lock_;
};

}  // namespace hostapp

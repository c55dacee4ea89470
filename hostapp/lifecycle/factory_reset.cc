// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/factory_reset.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "initramfs/bootsel/reset_request.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/store/inode.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {
namespace {

constexpr const char* kResetDir = "reset";  // in hostapp/, the helper's

bool Waits(const bootsel::Ledger& ledger) { return ledger.pending_action == bootsel::kFactoryReset; }

Result<std::vector<std::string>> CheckRules(std::vector<std::string> keep) {
  std::sort(keep.begin(), keep.end());
  std::vector<std::string> kept;
  for (const std::string& path : keep) {
    const std::string_view rule = bootsel::WhyNotKeepable(path);
    if (!rule.empty()) return Error(Errc::kInvalid, StrCat("--keep ", Escape(path), ": ", rule));
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const std::string& other) {
      return path == other || bootsel::IsBelow(path, other);
    });
    if (!covered) kept.push_back(path);
  }
  if (kept.size() > bootsel::kMaxKeptPaths) {
    return Error(Errc::kInvalid, StrCat(kept.size(), " paths to keep; ", bootsel::kMaxKeptPaths, " are the most"));
  }
  return kept;
}

// Where a path of the booted system may lie, below hostapp/.
std::vector<std::string> PlacesOf(const std::string& path, DeploymentSerial serial) {
  const std::string below = path.substr(5);  // behind "/var/" or "/etc/"
  if (path.starts_with("/var/")) return {StrCat("var/", below)};
  const std::string deployment = StrCat("deployments/", serial, "/");
  return {StrCat(deployment, "etc/upper/", below), StrCat(deployment, "etc/tree/", below),
          StrCat(deployment, "root/usr/etc/", below)};
}

bool IsLink(int dir, const std::string& path) {
  struct stat info {};
  return ::fstatat(dir, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

enum class Found { kNo, kYes, kThroughLink };

// `is_link` is asked about each folder above `path`, `exists` about `path`.
Found Look(const std::string& path, const std::function<bool(const std::string&)>& is_link,
           const std::function<bool(const std::string&)>& exists) {
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (is_link(path.substr(0, slash))) return Found::kThroughLink;
  }
  return exists(path) ? Found::kYes : Found::kNo;
}

Found LookOnDisk(int hostapp, const std::string& place) {
  return Look(
      place, [&](const std::string& path) { return IsLink(hostapp, path); },
      [&](const std::string& path) { return Exists(hostapp, path); });
}

// In the /etc of a composefs root.
Result<Found> LookInImage(const Device& device, const Deployment& deployment, const std::string& below,
                          OpContext& ctx) {
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, deployment.manifest_digest, ctx));
  const Node* etc = Below(tree.root(), "usr/etc");
  if (etc == nullptr) return Found::kNo;
  const auto is_link = [&](const std::string& path) {
    const Node* at = Below(*etc, path);
    return at != nullptr && at->inode->type == Inode::Type::kSymlink;
  };
  return Look(below, is_link, [&](const std::string& path) { return Below(*etc, path) != nullptr; });
}

// The helper follows no link, and what is behind one is kept under its own name only.
Status CheckIsThere(const Device& device, const std::string& path, const Deployment& deployment, OpContext& ctx) {
  std::vector<Found> found;
  for (const std::string& place : PlacesOf(path, deployment.serial)) {
    found.push_back(LookOnDisk(device.sysroot.hostapp(), place));
  }
  if (deployment.composefs && path.starts_with("/etc/")) {
    ASSIGN_OR_RETURN(found.emplace_back(), LookInImage(device, deployment, path.substr(5), ctx));
  }
  if (std::ranges::find(found, Found::kThroughLink) != found.end()) {
    return Error(Errc::kInvalid,
                 StrCat("--keep ", Escape(path), ": leads through a symbolic link; name what is behind it"));
  }
  if (std::ranges::find(found, Found::kYes) != found.end()) return Ok();
  return Error(Errc::kNotFound, StrCat("--keep ", Escape(path), ": there is nothing of that name"));
}

// Its first tree set aside: from then on it can only go on.
Status CheckNotBegun(const Device& device, const bootsel::Ledger& ledger) {
  if (!Waits(ledger) || !Exists(device.sysroot.hostapp(), StrCat(kResetDir, "/old-var"))) return Ok();
  return Error(Errc::kBusy,
               "a factory reset has begun and goes on at the next boot; what kept it from ending is on the console "
               "and in the kernel's log, and the old trees are in /sysroot/hostapp/reset");
}

Status CheckMayRequest(const Device& device, const bootsel::Ledger& ledger) {
  if (ledger.default_deployment.serial == bootsel::kNoSerial) {
    return Error(Errc::kNotFound, "nothing is deployed that /var and /etc could begin again from");
  }
  if (ledger.trial.serial != bootsel::kNoSerial) {
    return Error(Errc::kBusy, StrCat("deployment ", ledger.trial.serial,
                                     " is on trial, and a trial is not reset; wait until it has "
                                     "proved itself, or end it with: hostapp mark-good, mark-failed or rollback"));
  }
  if (ledger.pending_action != 0 && !Waits(ledger)) {
    return Error(Errc::kBusy, StrCat("another action (", ledger.pending_action, ") waits for the next boot"));
  }
  return CheckNotBegun(device, ledger);
}

// What a reset before this one left must not pass for the beginning of this one.
Status PutLeftoversAway(const Device& device, const bootsel::Ledger& ledger, OpContext& ctx) {
  const int hostapp = device.sysroot.hostapp();
  if (Waits(ledger) || !Exists(hostapp, kResetDir)) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd tmp, OpenDir(device.sysroot.root(), kTmpDir, ctx.sys));
  const std::string old = StrCat("old-reset-", ledger.generation);
  TRY(RemoveTree(tmp.get(), old, ctx.sys));
  TRY(Rename(hostapp, kResetDir, tmp.get(), old, ctx.sys));
  return SyncDir(hostapp, ctx.sys);
}

}  // namespace

Result<std::vector<std::string>> RequestFactoryReset(const Device& device, const std::vector<std::string>& keep,
                                                     OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<std::string> kept, CheckRules(keep));
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  const auto request = [&](bootsel::Ledger& ledger) -> Status {
    TRY(CheckMayRequest(device, ledger));
    ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, ledger.default_deployment.serial));
    for (const std::string& path : kept) TRY(CheckIsThere(device, path, deployment, ctx));
    TRY(PutLeftoversAway(device, ledger, ctx));
    std::string text(bootsel::kResetRequestHeader);
    for (const std::string& path : kept) text += path + "\n";
    TRY(ReplaceFile(device.sysroot.hostapp(), bootsel::kResetRequestName, AsBytes(text), 0600, ctx.sys));
    ledger.pending_action = bootsel::kFactoryReset;
    return Ok();
  };
  TRY(ChangeLedger(lock, device.sysroot, ctx, request).While("asking for a factory reset"));
  return kept;
}

Status CancelFactoryReset(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  const auto cancel = [&](bootsel::Ledger& ledger) -> Status {
    if (!Waits(ledger)) return Error(Errc::kNotFound, "no factory reset waits");
    TRY(CheckNotBegun(device, ledger));
    ledger.pending_action = 0;
    return Ok();
  };
  TRY(ChangeLedger(lock, device.sysroot, ctx, cancel));
  // Without the ledger's word it means nothing: the next boot removes it too.
  TRY(RemoveFile(device.sysroot.hostapp(), bootsel::kResetRequestName, ctx.sys));
  return SyncDir(device.sysroot.hostapp(), ctx.sys);
}

}  // namespace hostapp

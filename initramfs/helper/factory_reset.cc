// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/factory_reset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "initramfs/bootsel/reset_request.h"
#include "initramfs/helper/etc_overlay.h"
#include "initramfs/helper/facts.h"
#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {
namespace {

constexpr const char* kReset = "hostapp/reset";
constexpr const char* kTmp = "hostapp/tmp";
// A watchdog may be running, and removing a device's whole /var can take minutes: gc has them.
constexpr uint32_t kMaxRemoved = 50000;

using Name = Text<bootsel::kMaxKeptPathBytes + 1>;

// One of the two trees that begin again.
struct Part {
  std::string_view place;  // where the booted system has it
  Path parent;             // of the live tree
  const char* name;        // the live tree in `parent`
  Path fresh, old;         // in hostapp/reset
};

class Reset {
 public:
  Reset(int root, int tree, const MountPlan& plan, ResetReport& report, Problem& why)
      : root_(root), tree_(tree), plan_(plan), report_(report), why_(why) {}

  bool Begin();
  bool Var();
  bool Etc();
  bool KeptAll() const { return kept_all_; }

 private:
  bool ReadRequest();
  template <typename Fill>
  bool Replace(const Part& part, Fill fill);
  template <typename Fill>
  bool SetAside(const Part& part, int parent, Fill fill);
  bool CarryOver(const Part& part, int parent, bool fresh);
  bool PutInPlace(const Part& part, int parent);
  bool FillVar(int folder);
  void Move(std::string_view path, int from, int to, std::string_view below);
  bool MoveBelow(int from_root, int to_root, std::string_view below, bool& moved);
  Fd OpenParent(int to, const char* name, int like);

  int root_;
  int tree_;
  const MountPlan& plan_;
  ResetReport& report_;
  Problem& why_;
  Fd reset_, scratch_;
  bool kept_all_ = true;
  std::array<char, bootsel::kMaxResetRequestBytes + 1> text_;
  bootsel::ResetRequest request_;
};

bool Reset::ReadRequest() {
  const Path path = PathOf("hostapp/", bootsel::kResetRequestName);
  std::string_view text;
  if (!ReadFileAt(root_, path.c_str(), text_, text)) return why_.IsErrno(errno, "reading ", path);
  return bootsel::ParseResetRequest(text, request_) || why_.Is(path, " is damaged: what it keeps is not known");
}

bool Reset::Begin() {
  if (!ReadRequest()) return false;
  if (!EnsureDirectory(root_, kReset, 0700) || !EnsureDirectory(root_, kTmp, 0700)) {
    return why_.IsErrno(errno, "making ", kReset);
  }
  reset_ = OpenDirectory(root_, kReset);
  scratch_ = OpenDirectory(root_, kTmp);
  const Fd hostapp = OpenDirectory(root_, "hostapp");
  if (!reset_.ok() || !scratch_.ok() || !hostapp.ok() || fsync(hostapp.get()) != 0) {
    return why_.IsErrno(errno, "opening ", kReset);
  }
  return true;
}

bool Reset::Var() {
  const Part part = {.place = "/var",
                     .parent = PathOf("hostapp"),
                     .name = "var",
                     .fresh = PathOf("new-var"),
                     .old = PathOf("old-var")};
  return Replace(part, [this](int folder) { return FillVar(folder); });
}

bool Reset::Etc() {
  const Part part = {.place = "/etc",
                     .parent = PathOf(kDeployments, "/", plan_.serial),
                     .name = "etc",
                     .fresh = PathOf("new-etc-", plan_.serial),
                     .old = PathOf("old-etc-", plan_.serial)};
  return Replace(part, [this](int folder) { return MakeEmptyUpper(tree_, plan_.serial, folder, why_); });
}

template <typename Fill>
bool Reset::Replace(const Part& part, Fill fill) {
  const Fd parent = OpenDirectory(root_, part.parent.c_str());
  if (!parent.ok()) return why_.IsErrno(errno, "opening ", part.parent);
  if (!ExistsAt(reset_.get(), part.old.c_str()) && !SetAside(part, parent.get(), fill)) return false;
  const bool fresh = ExistsAt(reset_.get(), part.fresh.c_str());
  if (!CarryOver(part, parent.get(), fresh)) return false;
  if (syncfs(reset_.get()) != 0) return why_.IsErrno(errno, "syncing the new ", part.place);
  return !fresh || PutInPlace(part, parent.get());
}

// Steps 1 and 2. An error up to the rename leaves the live tree as it was.
template <typename Fill>
bool Reset::SetAside(const Part& part, int parent, Fill fill) {
  const EntryKind live = KindAt(parent, part.name);
  if (live != EntryKind::kDirectory && live != EntryKind::kMissing) {
    return why_.Is("resetting ", part.place, ": ", part.parent, "/", part.name, " is not a folder");
  }
  if (!RemoveTreeAt(reset_.get(), part.fresh.c_str())) return why_.IsErrno(errno, "removing ", part.fresh);
  if (!MakeComplete(scratch_.get(), "fill-reset", reset_.get(), part.fresh.c_str(), fill, why_)) return false;
  const bool aside = live == EntryKind::kMissing ? mkdirat(reset_.get(), part.old.c_str(), 0700) == 0
                                                 : renameat(parent, part.name, reset_.get(), part.old.c_str()) == 0;
  if (!aside || fsync(parent) != 0 || fsync(reset_.get()) != 0) {
    return why_.IsErrno(errno, "setting the old ", part.place, " aside");
  }
  return true;
}

// Where the changes to /etc are in a folder of a deployment's.
Fd OpenChanges(int etc) {
  Fd tree = OpenDirectory(etc, "tree");
  return tree.ok() ? std::move(tree) : OpenDirectory(etc, "upper");
}

// Step 3. What cannot be moved stays in the old tree, and the request with it.
bool Reset::CarryOver(const Part& part, int parent, bool fresh) {
  Fd from = OpenDirectory(reset_.get(), part.old.c_str());
  Fd to = fresh ? OpenDirectory(reset_.get(), part.fresh.c_str()) : OpenDirectory(parent, part.name);
  if (!from.ok() || !to.ok()) return why_.IsErrno(errno, "opening the old and the new ", part.place);
  if (part.place == "/etc") {
    from = OpenChanges(from.get());
    if (!from.ok()) return errno == ENOENT || why_.IsErrno(errno, "opening the old changes to /etc");
    to = OpenChanges(to.get());
    if (!to.ok()) return why_.IsErrno(errno, "opening the new changes to /etc");
  }
  for (const std::string_view path : request_.Keep()) {
    if (bootsel::IsBelow(path, part.place)) Move(path, from.get(), to.get(), path.substr(part.place.size() + 1));
  }
  return true;
}

void Reset::Move(std::string_view path, int from, int to, std::string_view below) {
  bool moved = false;
  if (!MoveBelow(from, to, below, moved)) {
    kept_all_ = false;
    why_.IsErrno(errno, "keeping ", path, " (it is in ", kReset, ")");
  }
  if (moved) report_.kept++;
}

// True also when there is nothing to move: a path that never existed, or one that a cut boot has moved.
bool Reset::MoveBelow(int from_root, int to_root, std::string_view below, bool& moved) {
  Fd from = OpenDirectory(from_root, ".");
  Fd to = OpenDirectory(to_root, ".");
  if (!from.ok() || !to.ok()) return false;
  for (size_t slash = below.find('/'); slash != std::string_view::npos; slash = below.find('/')) {
    const Name name(below.substr(0, slash));
    from = OpenDirectory(from.get(), name.c_str());
    if (!from.ok()) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    to = OpenParent(to.get(), name.c_str(), from.get());
    if (!to.ok()) return false;
    below.remove_prefix(slash + 1);
  }
  const Name name(below);
  struct stat info = {};
  if (fstatat(from.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  // In the way is what the image brought.
  if (!RemoveTreeAt(to.get(), name.c_str())) return false;
  moved = renameat(from.get(), name.c_str(), to.get(), name.c_str()) == 0;
  return moved;
}

// The folder `name`, made like the old one where the image has none: complete under its name, owner and mode too.
Fd Reset::OpenParent(int to, const char* name, int like) {
  constexpr const char* kUnfinished = "parent";
  if (KindAt(to, name) == EntryKind::kDirectory) return OpenDirectory(to, name);
  if (!RemoveTreeAt(to, name) || !RemoveTreeAt(reset_.get(), kUnfinished)) return Fd();
  if (mkdirat(reset_.get(), kUnfinished, 0700) != 0) return Fd();
  Fd made = OpenDirectory(reset_.get(), kUnfinished);
  Problem why;
  if (!made.ok() || !CopyAttributes(like, made.get(), why)) return Fd();
  return renameat(reset_.get(), kUnfinished, to, name) == 0 ? std::move(made) : Fd();
}

// Step 4. In the way can only be what a boot has made that went on after an error here.
bool Reset::PutInPlace(const Part& part, int parent) {
  constexpr const char* kUnwanted = "unwanted";
  if (ExistsAt(parent, part.name) &&
      (!RemoveTreeAt(reset_.get(), kUnwanted) || renameat(parent, part.name, reset_.get(), kUnwanted) != 0)) {
    return why_.IsErrno(errno, "putting the new ", part.place, " in place");
  }
  if (renameat(reset_.get(), part.fresh.c_str(), parent, part.name) != 0 || fsync(parent) != 0 ||
      fsync(reset_.get()) != 0) {
    return why_.IsErrno(errno, "putting the new ", part.place, " in place");
  }
  return true;
}

// As the mounts fill it at a first boot, but all at once: a kept path may lie in a folder that would only be filled
// later, and then never would be.
bool Reset::FillVar(int folder) {
  for (const Step& step : plan_.Steps()) {
    if (step.kind != StepKind::kPersistent) continue;
    const Fd image = OpenDirectory(tree_, step.target);
    if (!image.ok()) return why_.IsErrno(errno, "opening /", step.target, " of deployment ", plan_.serial);
    const std::string_view below = std::string_view(step.source).substr(3);  // behind "var"
    if (below.empty()) {
      if (!CopyTree(image.get(), folder, CopyKind::kPlain, report_.filled, why_)) return false;
      continue;
    }
    const Name name(below.substr(1));
    if (ExistsAt(folder, name.c_str())) continue;
    const Fd made = mkdirat(folder, name.c_str(), 0700) == 0 ? OpenDirectory(folder, name.c_str()) : Fd();
    if (!made.ok()) return why_.IsErrno(errno, "making /", step.source);
    if (!CopyTree(image.get(), made.get(), CopyKind::kPlain, report_.filled, why_)) return false;
  }
  return true;
}

bool Clear(LedgerStore& store, Problem& why) {
  bootsel::Ledger next = *store.ledger();
  next.pending_action = 0;
  next.generation++;
  return store.Store(next, why);
}

}  // namespace

bool ResetWaits(const bootsel::Ledger* ledger) {
  return ledger != nullptr && ledger->pending_action == bootsel::kFactoryReset;
}

bool FactoryReset(int root, int tree, const MountPlan& plan, LedgerStore& store, ResetReport& report, Problem& why) {
  Reset reset(root, tree, plan, report, why);
  if (!reset.Begin() || !reset.Var() || !reset.Etc() || !reset.KeptAll()) return false;
  if (!Clear(store, why)) return false;
  Problem ignored;  // the reset is done; what is left is the next boot's and gc's
  if (!SweepReset(root, store, ignored)) return true;
  uint32_t budget = kMaxRemoved;
  const Path old = PathOf(kTmp, "/old-reset-", store.ledger()->generation);
  report.removed = RemoveTreeAt(root, old.c_str(), &budget);
  return true;
}

bool SweepReset(int root, const LedgerStore& store, Problem& why) {
  const Path request = PathOf("hostapp/", bootsel::kResetRequestName);
  if (store.ledger() == nullptr || store.ledger()->pending_action != 0) return true;
  if (unlinkat(root, request.c_str(), 0) != 0 && errno != ENOENT) return why.IsErrno(errno, "removing ", request);
  if (!ExistsAt(root, kReset)) return true;
  const Path old = PathOf(kTmp, "/old-reset-", store.ledger()->generation);
  if (!EnsureDirectory(root, kTmp, 0700) || !RemoveTreeAt(root, old.c_str()) ||
      renameat(root, kReset, root, old.c_str()) != 0) {
    return why.IsErrno(errno, "putting ", kReset, " away");
  }
  const Fd hostapp = OpenDirectory(root, "hostapp");
  return (hostapp.ok() && fsync(hostapp.get()) == 0) || why.IsErrno(errno, "syncing hostapp");
}

}  // namespace hostapp::initramfs

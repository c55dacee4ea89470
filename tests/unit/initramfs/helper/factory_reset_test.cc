// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/factory_reset.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <functional>
#include <set>

#include "initramfs/bootsel/reset_request.h"
#include "initramfs/helper/etc_overlay.h"
#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

constexpr const char* kKeep =
    "/etc/ssh/key\n/etc/ssl\n/var/home/me\n/var/lib/app\n/var/lib/never-was\n/var/log/made/by/image\n/var/spool/deep/"
    "one\n";

// A used device with deployment 1, and a reset that waits.
class FactoryResetTest : public testing::Test {
 protected:
  FactoryResetTest() { Fill(tree_); }

  static void Fill(TempTree& tree) {
    const std::string root = "hostapp/deployments/1/root/";
    for (const char* name :
         {"usr/etc", "etc", "sysroot", "proc", "sys", "dev", "run", "tmp", "srv", "opt", "usr/local"})
      tree.Folder(root + name);
    tree.Folder(root + "usr/etc", 0750);
    tree.File(root + "root/.profile", "image");
    tree.File(root + "home/skeleton", "image");
    tree.File(root + "var/lib/app/state", "image");
    tree.File(root + "var/log/made/by/image", "image");
    tree.Link(root + "var/spool", "lib");
    tree.Folder("hostapp/var/home", 0711);  // the image has one of its own
    tree.File("hostapp/var/home/me/letter", "mine", 0600);
    tree.File("hostapp/var/home/you/letter", "yours");
    tree.File("hostapp/var/lib/app/state", "used");
    tree.File("hostapp/var/lib/other", "used");
    tree.File("hostapp/var/log/made/by/image", "log");
    tree.File("hostapp/var/spool/deep/one", "1");
    tree.File("hostapp/var/spool/deep/two", "2");
    tree.Folder("hostapp/var/spool/deep", 01777);
    tree.File("hostapp/deployments/1/etc/upper/hostname", "changed");
    tree.File("hostapp/deployments/1/etc/upper/ssh/key", "k", 0600);
    tree.File("hostapp/deployments/1/etc/upper/ssh/config", "changed");
    tree.Folder("hostapp/deployments/1/etc/upper/ssh", 0700);
    tree.File("hostapp/deployments/1/etc/upper/ssl/own", "cert");
    tree.Folder("hostapp/deployments/1/etc/work", 0700);
    Request(tree, std::string(bootsel::kResetRequestHeader) + kKeep);
    SetPending(tree, bootsel::kFactoryReset);
  }
  static void Request(TempTree& tree, const std::string& text) { tree.File("hostapp/factory-reset", text); }
  static void SetPending(TempTree& tree, uint32_t action) {
    LedgerStore store(tree.fd());
    store.Load();
    bootsel::Ledger ledger;
    if (store.ledger() != nullptr) ledger = *store.ledger();
    ledger.default_deployment.serial = 1;
    ledger.pending_action = action;
    ledger.generation++;
    Problem why;
    ASSERT_TRUE(store.Store(ledger, why)) << why.text();
  }
  static uint32_t Pending(const TempTree& tree) {
    LedgerStore store(tree.fd());
    store.Load();
    return store.ledger() == nullptr ? 99 : store.ledger()->pending_action;
  }
  // What a boot does about it.
  static bool Boot(const TempTree& tree, ResetReport& report, Problem& why, bootsel::Serial serial = 1) {
    LedgerStore store(tree.fd());
    store.Load();
    MountPlan plan;
    const Fd root = tree.Open("hostapp/deployments/" + std::to_string(serial) + "/root");
    if (!MakePlan(serial, LookAtTree(root.get()), plan, why)) return false;
    if (!ResetWaits(store.ledger())) return SweepReset(tree.fd(), store, why);
    return FactoryReset(tree.fd(), root.get(), plan, store, report, why);
  }
  bool Boot() { return Boot(tree_, report_, why_); }

  static void ExpectReset(const TempTree& tree, const std::string& when) {
    EXPECT_EQ(tree.List("hostapp/var"),
              "home folder 0755\nhome/me folder 0755\nhome/me/letter file 0600 mine\nhome/skeleton file 0644 image\n"
              "lib folder 0755\nlib/app folder 0755\nlib/app/state file 0644 used\n"
              "log folder 0755\nlog/made folder 0755\nlog/made/by folder 0755\nlog/made/by/image file 0644 log\n"
              "opt folder 0755\nroothome folder 0755\nroothome/.profile file 0644 image\n"
              "spool folder 0755\nspool/deep folder 1777\nspool/deep/one file 0644 1\n"
              "srv folder 0755\nusrlocal folder 0755\n")
        << when;
    EXPECT_EQ(tree.List("hostapp/deployments/1/etc/upper"),
              "ssh folder 0700\nssh/key file 0600 k\nssl folder 0755\nssl/own file 0644 cert\n")
        << when;
    struct stat info = {};
    EXPECT_EQ(stat(tree.Path("hostapp/deployments/1/etc/upper").c_str(), &info), 0) << when;
    EXPECT_EQ(info.st_mode & 07777U, 0750U) << when << ": /etc has the image's mode";
  }

  TempTree tree_;
  ResetReport report_;
  Problem why_;
};

TEST_F(FactoryResetTest, BeginsAgainFromTheImageWithWhatIsKept) {
  ASSERT_TRUE(Boot()) << why_.text();
  ExpectReset(tree_, "after one boot");
  EXPECT_EQ(report_.kept, 6U) << "and /var/lib/never-was has never been there";
  EXPECT_TRUE(report_.removed);
  EXPECT_EQ(Pending(tree_), 0U);
  EXPECT_FALSE(tree_.Exists("hostapp/factory-reset"));
  EXPECT_FALSE(tree_.Exists("hostapp/reset"));
  EXPECT_EQ(tree_.List("hostapp/tmp"), "");
  EtcState state;
  const Fd root = tree_.Open("hostapp/deployments/1/root");
  EXPECT_TRUE(PrepareEtc(Trees("", tree_.fd(), nullptr), root.get(), 1, bootsel::kNoSerial, state, why_))
      << why_.text();
  ExpectReset(tree_, "after /etc was prepared for its mount");
}

TEST_F(FactoryResetTest, KeepsOnlyWhatTheRequestNames) {
  Request(tree_, std::string(bootsel::kResetRequestHeader));
  ASSERT_TRUE(Boot()) << why_.text();
  EXPECT_EQ(report_.kept, 0U);
  EXPECT_EQ(tree_.List("hostapp/deployments/1/etc"), "upper folder 0750\n");
  EXPECT_EQ(tree_.Read("hostapp/var/lib/app/state"), "image");
  EXPECT_FALSE(tree_.Exists("hostapp/var/home/me"));
}

TEST_F(FactoryResetTest, ResetsNothingWithoutAReadableRequest) {
  const std::string before = tree_.List("hostapp/var") + tree_.List("hostapp/deployments/1/etc");
  for (const std::string text : {"", "hostapp factory-reset 2\n", "hostapp factory-reset 1\n/var/lib/ap",
                                 "hostapp factory-reset 1\n/usr/lib\n", "hostapp factory-reset 1\n/var/../etc\n"}) {
    Request(tree_, text);
    EXPECT_FALSE(Boot()) << text;
    EXPECT_EQ(why_.text(), "hostapp/factory-reset is damaged: what it keeps is not known");
  }
  std::filesystem::remove(tree_.Path("hostapp/factory-reset"));
  EXPECT_FALSE(Boot());
  EXPECT_EQ(tree_.List("hostapp/var") + tree_.List("hostapp/deployments/1/etc"), before);
  EXPECT_EQ(Pending(tree_), bootsel::kFactoryReset) << "status goes on saying that it waits";
}

TEST_F(FactoryResetTest, LeavesAnActionAloneThatItDoesNotKnow) {
  SetPending(tree_, 2);
  const std::string before = tree_.List("hostapp/var");
  EXPECT_TRUE(Boot()) << why_.text();
  EXPECT_EQ(tree_.List("hostapp/var"), before);
  EXPECT_EQ(Pending(tree_), 2U);
  EXPECT_TRUE(tree_.Exists("hostapp/factory-reset"));
}

TEST_F(FactoryResetTest, TakesKeptPathsOutOfARealCopyOfEtc) {
  std::filesystem::rename(tree_.Path("hostapp/deployments/1/etc/upper"), tree_.Path("hostapp/deployments/1/etc/tree"));
  ASSERT_TRUE(Boot()) << why_.text();
  ExpectReset(tree_, "out of a copy");
  EXPECT_FALSE(tree_.Exists("hostapp/deployments/1/etc/tree"));
}

TEST_F(FactoryResetTest, FillsADeviceWithoutVar) {
  std::filesystem::remove_all(tree_.Path("hostapp/var"));
  ASSERT_TRUE(Boot()) << why_.text();
  EXPECT_EQ(tree_.Read("hostapp/var/lib/app/state"), "image");
}

TEST_F(FactoryResetTest, AnotherDeploymentGoesOnWithTheSameVarAndItsOwnEtc) {
  std::filesystem::copy(tree_.Path("hostapp/deployments/1"), tree_.Path("hostapp/deployments/2"),
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  // Deployment 1 got as far as setting aside /var and its /etc.
  tree_.Folder("hostapp/reset");
  std::filesystem::rename(tree_.Path("hostapp/var"), tree_.Path("hostapp/reset/old-var"));
  tree_.File("hostapp/reset/new-var/of-image-1", "");
  std::filesystem::rename(tree_.Path("hostapp/deployments/1/etc"), tree_.Path("hostapp/reset/old-etc-1"));
  ASSERT_TRUE(Boot(tree_, report_, why_, 2)) << why_.text();
  EXPECT_EQ(tree_.Read("hostapp/var/of-image-1") + tree_.Read("hostapp/var/lib/app/state"), "used");
  EXPECT_EQ(tree_.List("hostapp/deployments/2/etc/upper/ssh"), "key file 0600 k\n");
  EXPECT_EQ(Pending(tree_), 0U);
}

TEST_F(FactoryResetTest, RemovesNoMoreThanItsBudget) {
  for (int i = 0; i < 20; i++) tree_.File("many/" + std::to_string(i), "");
  uint32_t budget = 8;
  EXPECT_FALSE(RemoveTreeAt(tree_.fd(), "many", &budget));
  EXPECT_EQ(budget, 0U);
  const std::string left = tree_.List("many");
  EXPECT_EQ(std::count(left.begin(), left.end(), '\n'), 13) << "the folder itself counts";
  budget = 100;
  EXPECT_TRUE(RemoveTreeAt(tree_.fd(), "many", &budget));
}

TEST_F(FactoryResetTest, GoesOnAfterABootThatMadeANewVarInBetween) {
  // After an error behind step 2 the boot went on, and filled /var for itself.
  tree_.Folder("hostapp/reset");
  std::filesystem::rename(tree_.Path("hostapp/var"), tree_.Path("hostapp/reset/old-var"));
  tree_.Folder("hostapp/reset/new-var");
  tree_.File("hostapp/var/used-in-between", "");
  ASSERT_TRUE(Boot()) << why_.text();
  EXPECT_FALSE(tree_.Exists("hostapp/var/used-in-between"));
  EXPECT_EQ(tree_.Read("hostapp/var/lib/app/state"), "used");
}

TEST_F(FactoryResetTest, APathThatCannotBeMovedStaysAndTheRequestToo) {
  tree_.Folder("hostapp/reset");
  std::filesystem::rename(tree_.Path("hostapp/var"), tree_.Path("hostapp/reset/old-var"));
  std::string deep = "hostapp/var/lib/app";  // deeper than we remove: it stays in the way
  for (int i = 0; i < 140; i++) deep += "/d";
  tree_.Folder(deep);
  EXPECT_FALSE(Boot());
  EXPECT_EQ(why_.text(), "keeping /var/lib/app (it is in hostapp/reset): Too many levels of symbolic links");
  EXPECT_EQ(tree_.Read("hostapp/reset/old-var/lib/app/state"), "used");
  EXPECT_EQ(tree_.Read("hostapp/var/home/me/letter"), "mine") << "what comes before and after it is kept all the same";
  EXPECT_EQ(tree_.Read("hostapp/var/spool/deep/one"), "1");
  EXPECT_EQ(Pending(tree_), bootsel::kFactoryReset);
  std::filesystem::remove_all(tree_.Path("hostapp/var/lib/app"));
  ASSERT_TRUE(Boot()) << why_.text();
  EXPECT_EQ(tree_.Read("hostapp/var/lib/app/state"), "used");
  EXPECT_EQ(Pending(tree_), 0U);
}

// ---- killed before every system call that changes something

bool Changes(uint64_t call) {
  static const std::set<uint64_t> kCalls = {
      SYS_renameat, SYS_renameat2, SYS_mkdirat,  SYS_unlinkat, SYS_fchmod,    SYS_fchmodat,  SYS_fchown, SYS_fchownat,
      SYS_sendfile, SYS_symlinkat, SYS_pwrite64, SYS_write,    SYS_fsetxattr, SYS_fdatasync, SYS_fsync,  SYS_syncfs};
  return kCalls.count(call) != 0;
}

// Runs `body` in a child process and kills it before its n-th such call. False if it made fewer.
bool KillBefore(int n, const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (int seen = 0;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      return false;
    }
    struct __ptrace_syscall_info info = {};
    ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), child, sizeof info, &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !Changes(info.entry.nr) || ++seen < n) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return true;
  }
}

TEST_F(FactoryResetTest, KilledAnywhereTheNextBootEndsItAndNoHalfMadeVarIsEverThere) {
  const std::string used = tree_.List("hostapp/var");
  int points = 0;
  for (int n = 1; points == n - 1; n++) {
    TempTree tree;
    Fill(tree);
    const std::string when = "killed before change " + std::to_string(n);
    if (KillBefore(n, [&] { return Boot(tree, report_, why_); })) points = n;
    if (Pending(tree) == 0) ExpectReset(tree, when + ", request gone");
    const bool still_old = !tree.Exists("hostapp/reset/old-var") && Pending(tree) != 0;
    if (still_old) {
      EXPECT_EQ(tree.List("hostapp/var"), used) << when;
    }
    if (tree.Exists("hostapp/reset/new-var") && !still_old) {
      EXPECT_FALSE(tree.Exists("hostapp/var")) << when;
    }
    // A second cut, in the boot that goes on.
    KillBefore(n / 2 + 1, [&] { return Boot(tree, report_, why_); });
    ASSERT_TRUE(Boot(tree, report_, why_)) << when << ": " << why_.text();
    ExpectReset(tree, when + " and booted again");
    EXPECT_EQ(Pending(tree), 0U) << when;
    EXPECT_FALSE(tree.Exists("hostapp/reset") || tree.Exists("hostapp/factory-reset")) << when;
    if (HasFailure()) return;
  }
  RecordProperty("points", points);
  EXPECT_GT(points, 60);
}

}  // namespace
}  // namespace hostapp::initramfs

// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/command_line.h"

#include <functional>
#include <map>

#include "hostapp/base/hostname.h"
#include "hostapp/base/strings.h"
#include "tools/cli/grammar.h"

namespace hostapp::cli {
namespace {

const std::vector<std::string> kLaterVerbs = {"export"};

constexpr const char* kRootHelp =
    "How trees are kept from now on: composefs or checkout (composefs, where the image can have it)";

// The words as they stood; MakeVerb() gives them meaning.
struct Words {
  std::optional<std::string> sysroot, boot;
  std::string disk, loader = "grub", file_system = "ext4", hostname, password_hash;
  std::vector<std::string> ssh_keys;
  std::string reference, serial, dir, reason, tries = "3";
  std::optional<std::string> root, to, etc_serial, trust_key, policy;
  std::vector<std::string> kernel_arguments, removed_arguments, keep;
  bool dry_run = false, reboot = false, check = false, retry = false, shutdown = false, repair = false, yes = false,
       give_up_previous = false, cancel = false, erase = false, features = false;
};

Result<DeploymentSerial> SerialFrom(const std::string& text) {
  return NumberArgument("the serial number", text, 1, UINT64_MAX);
}

Result<std::optional<DeploymentSerial>> OptionalSerial(const std::optional<std::string>& text) {
  if (!text) return std::optional<DeploymentSerial>();
  ASSIGN_OR_RETURN(const DeploymentSerial serial, SerialFrom(*text));
  return std::optional(serial);
}

Restart RestartIf(bool wanted) { return wanted ? Restart::kYes : Restart::kNo; }

Result<LoaderKind> LoaderFrom(const std::string& name) {
  const std::optional<LoaderKind> loader = ParseLoaderName(name);
  if (loader) return *loader;
  return Error(Errc::kInvalid, StrCat("--loader ", Escape(name), ": it is grub, systemd-boot, uboot or none"));
}

Result<DiskFileSystem> FileSystemFrom(const std::string& name) {
  for (const DiskFileSystem kind : {DiskFileSystem::kExt4, DiskFileSystem::kXfs, DiskFileSystem::kBtrfs}) {
    if (name == FileSystemName(kind)) return kind;
  }
  return Error(Errc::kInvalid, StrCat("--fs ", Escape(name), ": it is ext4, xfs or btrfs"));
}

Result<std::optional<RootKind>> RootFrom(const std::optional<std::string>& name) {
  if (!name) return std::optional<RootKind>();
  ASSIGN_OR_RETURN(const RootKind kind, ParseRootName(*name).While("--root"));
  return std::optional(kind);
}

Result<Verb> MakeInstall(const Words& words) {
  InstallVerb verb;
  if (words.sysroot || words.boot) {
    return Error(Errc::kInvalid, "--sysroot and --boot are not for install: the disk gets its own");
  }
  verb.disk = words.disk;
  ASSIGN_OR_RETURN(verb.reference, ParseReference(words.reference));
  ASSIGN_OR_RETURN(verb.loader, LoaderFrom(words.loader));
  ASSIGN_OR_RETURN(verb.file_system, FileSystemFrom(words.file_system));
  if (words.erase) verb.erase = InstallVerb::Erase::kWhatIsThere;
  verb.kernel_arguments = words.kernel_arguments;
  ASSIGN_OR_RETURN(verb.root, RootFrom(words.root));
  if (!words.hostname.empty()) {
    TRY(CheckHostname(words.hostname).While("--hostname"));
    verb.hostname = words.hostname;
  }
  verb.ssh_keys = words.ssh_keys;
  if (!words.password_hash.empty()) verb.password_hash = words.password_hash;
  return Verb(std::move(verb));
}

using MakeVerb = std::function<Result<Verb>(const Words&)>;

// The verbs, their flags, and what becomes of them.
class Grammar {
 public:
  Grammar();

  Result<std::variant<CommandLine, HelpText>> Parse(std::vector<std::string> arguments);

 private:
  VerbGrammar Add(const std::string& words, const std::string& description, MakeVerb make);
  void AddImageVerbs();
  void AddLedgerVerbs();
  void AddKeepVerbs();
  void AddLookVerbs();
  void AddHealthVerbs();
  void AddKargsVerb();
  void AddFactoryResetVerb();
  void AddInstallVerb();
  // With one serial number as its argument.
  template <typename VerbType>
  void AddSerialVerb(const std::string& name, const std::string& description);

  Words words_;
  ProgramGrammar program_{"hostapp", "Operating systems as container images, on the device.", kLaterVerbs};
  std::map<std::string, MakeVerb> verbs_;
};

Grammar::Grammar() {
  program_.Global("--sysroot", words_.sysroot, "The device's tree; on a booted device it is found", "DIR");
  program_.Global("--boot", words_.boot, "The file system that holds kernels; otherwise found, or DIR/boot", "DIR");
  AddImageVerbs();
  AddLedgerVerbs();
  AddKargsVerb();
  AddFactoryResetVerb();
  AddInstallVerb();
  AddKeepVerbs();
  AddLookVerbs();
  AddHealthVerbs();
}

VerbGrammar Grammar::Add(const std::string& words, const std::string& description, MakeVerb make) {
  verbs_.emplace(words, std::move(make));
  return program_.Verb(words, description);
}

void Grammar::AddKargsVerb() {
  Add("kargs", "The kernel arguments; with --append or --delete: change the device's",
      [](const Words& words) -> Result<Verb> {
        const bool edits = !words.kernel_arguments.empty() || !words.removed_arguments.empty();
        EditKargsVerb verb{.edit = {.append = words.kernel_arguments, .remove = words.removed_arguments},
                           .restart = RestartIf(words.reboot)};
        ASSIGN_OR_RETURN(const uint64_t tries, NumberArgument("--tries", words.tries, 1, bootsel::kMaxTries));
        verb.tries = static_cast<int>(tries);
        if (words.reboot && !edits) return Error(Errc::kInvalid, "--reboot needs --append or --delete");
        if (!edits) return Verb(KargsVerb{});
        return Verb(std::move(verb));
      })
      .Repeated("--append", words_.kernel_arguments, "Add one, in a new deployment on trial; may be repeated", "K")
      .Repeated("--delete", words_.removed_arguments, "Take one away, as it stands; may be repeated", "K")
      .Option("--tries", words_.tries, "Boots that it may need to prove itself, 1 to 9 (3)", "N")
      .Flag("--reboot", words_.reboot, "Restart into it");
}

void Grammar::AddFactoryResetVerb() {
  Add("factory-reset", "At the next boot, begin /var and /etc again from the image",
      [](const Words& words) -> Result<Verb> {
        FactoryResetVerb verb{.keep = words.keep, .restart = RestartIf(words.reboot)};
        if (words.cancel) {
          verb.what = FactoryResetVerb::What::kCancel;
          if (words.keep.empty() && !words.reboot && !words.yes) return Verb(std::move(verb));
          return Error(Errc::kInvalid, "--cancel excludes --keep, --reboot and --yes");
        }
        if (words.yes) return Verb(std::move(verb));
        return Error(Errc::kInvalid,
                     "everything in /var (users' files, databases, logs) and all changes to /etc will be lost at "
                     "the next boot, but what --keep names; if that is meant, say --yes");
      })
      .Repeated("--keep", words_.keep, "Keep this file or folder below /var or /etc; may be repeated", "PATH")
      .Flag("--reboot", words_.reboot, "Restart now")
      .Flag("--yes", words_.yes, "Needed: what is not kept is lost")
      .Flag("--cancel", words_.cancel, "Take a request back that still waits");
}

void Grammar::AddInstallVerb() {
  Add("install", "Make a whole disk a device's, with an image deployed on it", MakeInstall)
      .Argument("disk", words_.disk, "The disk, as /dev/sdb: empty, and not in use", "DISK")
      .Argument("reference", words_.reference, "as for pull", "REF")
      .Flag("--erase", words_.erase, "Also a disk that is not empty: all that is on it is lost")
      .Option("--loader", words_.loader, "grub, for BIOS and UEFI, systemd-boot, uboot or none (grub)", "NAME")
      .Option("--fs", words_.file_system, "The root file system: ext4, xfs or btrfs (ext4)", "KIND")
      .Repeated("--karg", words_.kernel_arguments, "A kernel argument; may be repeated", "K")
      .Option("--root", words_.root, kRootHelp, "KIND")
      .Option("--hostname", words_.hostname, "The device's name", "NAME")
      .Repeated("--ssh-key", words_.ssh_keys, "Public keys that may log in as root; may be repeated", "FILE")
      .Option("--password-hash", words_.password_hash,
              "root's password, as `openssl passwd -6` prints it; -: standard input", "FILE");
}

Result<Verb> MakeInit(const Words& words) {
  if (words.trust_key || words.policy) {
    return Error(Errc::kInvalid, StrCat(words.trust_key ? "--trust-key" : "--policy", " is not in this version (",
                                        HOSTAPP_VERSION, "): images are not verified against keys yet"));
  }
  return Verb(InitVerb{});
}

Result<Verb> MakeDeploy(const Words& words) {
  DeployVerb verb;
  ASSIGN_OR_RETURN(verb.reference, ParseReference(words.reference));
  ASSIGN_OR_RETURN(const uint64_t tries, NumberArgument("--tries", words.tries, 1, bootsel::kMaxTries));
  ASSIGN_OR_RETURN(verb.root, RootFrom(words.root));
  verb.tries = static_cast<int>(tries);
  verb.kernel_arguments = words.kernel_arguments;
  verb.mode = words.dry_run ? DeployVerb::Mode::kDryRun : DeployVerb::Mode::kDeploy;
  verb.restart = RestartIf(words.reboot);
  if (words.dry_run && words.reboot) return Error(Errc::kInvalid, "--dry-run and --reboot exclude each other");
  return Verb(std::move(verb));
}

Result<Verb> MakeUpgrade(const Words& words) {
  UpgradeVerb verb;
  if (words.check) verb.mode = UpgradeVerb::Mode::kCheckOnly;
  if (words.retry) verb.failed_before = UpgradeVerb::FailedBefore::kRetry;
  verb.restart = RestartIf(words.reboot);
  if (words.check && words.reboot) return Error(Errc::kInvalid, "--check and --reboot exclude each other");
  return Verb(verb);
}

void Grammar::AddImageVerbs() {
  // Named by the documentation of a later version: better said than "not expected".
  Add("init", "Make the store, the boot ledger and the folders", MakeInit)
      .Hidden("--trust-key", words_.trust_key)
      .Hidden("--policy", words_.policy);
  Add("pull", "Bring an image into the store, deploy nothing",
      [](const Words& words) -> Result<Verb> {
        ASSIGN_OR_RETURN(Reference reference, ParseReference(words.reference));
        return Verb(PullVerb{std::move(reference)});
      })
      .Argument("reference", words_.reference,
                "docker://HOST/REPO[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG]", "REF");
  Add("deploy", "Pull an image and make it a deployment on trial", MakeDeploy)
      .Argument("reference", words_.reference, "as for pull", "REF")
      .Option("--tries", words_.tries, "Boots that it may need to prove itself, 1 to 9 (3)", "N")
      .Repeated("--karg", words_.kernel_arguments,
                "A kernel argument of the device, after the image's own; may be repeated; later releases get it too",
                "K")
      .Option("--root", words_.root, kRootHelp, "KIND")
      .Flag("--dry-run", words_.dry_run, "Only say what would be fetched and written")
      .Flag("--reboot", words_.reboot, "Restart into it");
  Add("upgrade", "Deploy what the default deployment's reference names now", MakeUpgrade)
      .Flag("--check", words_.check, "Only say whether there is something new")
      .Flag("--reboot", words_.reboot, "Restart if something new was deployed")
      .Flag("--retry", words_.retry, "Also a release that has failed here");
}

void Grammar::AddLedgerVerbs() {
  Add("status", "What runs, what boots next and why, the last failure",
      [](const Words&) -> Result<Verb> { return Verb(StatusVerb{}); });
  Add("rollback", "Make the previous deployment the default; during a trial: end it",
      [](const Words& words) -> Result<Verb> {
        ASSIGN_OR_RETURN(const auto serial, OptionalSerial(words.to));
        return Verb(RollbackVerb{.to = serial, .restart = RestartIf(words.reboot)});
      })
      .Option("--to", words_.to, "That deployment instead", "SERIAL")
      .Flag("--reboot", words_.reboot, "Restart into it");
  Add("mark-good", "End the running deployment's trial: it is the default",
      [](const Words&) -> Result<Verb> { return Verb(MarkGoodVerb{}); });
  Add("mark-failed", "End the running deployment's trial: it has failed", [](const Words& words) -> Result<Verb> {
    return Verb(MarkFailedVerb{words.reason});
  }).RequiredOption("--reason", words_.reason, "Why, for status", "TEXT");
  Add("reconcile", "Settle what the last boot left open", [](const Words& words) -> Result<Verb> {
    using When = ReconcileVerb::When;
    return Verb(ReconcileVerb{words.shutdown ? When::kShutdown : When::kBoot});
  }).Flag("--shutdown", words_.shutdown, "The machine is restarted on purpose: a running trial's try comes back");
}

template <typename VerbType>
void Grammar::AddSerialVerb(const std::string& name, const std::string& description) {
  Add(name, description, [](const Words& words) -> Result<Verb> {
    ASSIGN_OR_RETURN(const DeploymentSerial serial, SerialFrom(words.serial));
    return Verb(VerbType{serial});
  }).Argument("serial", words_.serial, "The deployment", "SERIAL");
}

void Grammar::AddKeepVerbs() {
  AddSerialVerb<PinVerb>("pin", "Keep a deployment whatever gc finds");
  AddSerialVerb<UnpinVerb>("unpin", "No longer");
  AddSerialVerb<RemoveVerb>("remove", "Remove a deployment that is not needed");
  Add("gc", "Remove what nothing needs",
      [](const Words& words) -> Result<Verb> {
        if (words.dry_run && words.give_up_previous) {
          return Error(Errc::kInvalid, "--dry-run and --give-up-previous exclude each other");
        }
        return Verb(GcVerb{.mode = words.dry_run ? GcVerb::Mode::kDryRun : GcVerb::Mode::kRemove,
                           .give_up_previous = words.give_up_previous});
      })
      .Flag("--dry-run", words_.dry_run, "Only count")
      .Flag("--give-up-previous", words_.give_up_previous, "The previous deployment too, where the default is proven");
  Add("fsck", "Verify store, deployments, boot sets and ledger",
      [](const Words& words) -> Result<Verb> {
        if (words.repair && words.features) {
          return Error(Errc::kInvalid, "--repair and --features exclude each other");
        }
        return Verb(FsckVerb{.what = words.features ? FsckVerb::What::kFeatures : FsckVerb::What::kDevice,
                             .mode = words.repair ? FsckVerb::Mode::kRepair : FsckVerb::Mode::kReportOnly});
      })
      .Flag("--repair", words_.repair, "Mend it, fetching what is damaged from the image's source")
      .Flag("--features", words_.features, "Only try what this kernel and the store's file system can do");
}

void Grammar::AddLookVerbs() {
  Add("grow", "Give the root file system the whole disk",
      [](const Words&) -> Result<Verb> { return Verb(GrowVerb{}); });
  program_.Group("etc", "The device's own settings");
  Add("etc diff", "Local changes to /etc", [](const Words& words) -> Result<Verb> {
    ASSIGN_OR_RETURN(const auto serial, OptionalSerial(words.etc_serial));
    return Verb(EtcDiffVerb{serial});
  }).Argument("serial", words_.etc_serial, "Of that deployment; otherwise the running one's", "SERIAL");
  Add("mount", "Mount a deployment's tree, read-only, to look inside",
      [](const Words& words) -> Result<Verb> {
        ASSIGN_OR_RETURN(const DeploymentSerial serial, SerialFrom(words.serial));
        return Verb(MountVerb{serial, words.dir});
      })
      .Argument("serial", words_.serial, "The deployment", "SERIAL")
      .Argument("dir", words_.dir, "An existing folder", "DIR");
  Add("unmount", "End that", [](const Words& words) -> Result<Verb> {
    return Verb(UnmountVerb{words.dir});
  }).Argument("dir", words_.dir, "The folder", "DIR");
}

void Grammar::AddHealthVerbs() {
  Add("log", "The last transitions of what boots, each with its cause",
      [](const Words&) -> Result<Verb> { return Verb(LogVerb{}); });
  program_.Group("loader", "The boot loader");
  Add("loader update", "Bring the boot loader's program to the running release's, where that is safe",
      [](const Words&) -> Result<Verb> { return Verb(LoaderUpdateVerb{}); });
  program_.Group("health", "Health checks");
  Add("health run", "Run the checks and print each; mark nothing",
      [](const Words&) -> Result<Verb> { return Verb(HealthRunVerb{}); });
  Add("health prove", "Run the checks and end a running trial: good, or failed and a restart",
      [](const Words&) -> Result<Verb> { return Verb(HealthProveVerb{}); });
}

Result<std::variant<CommandLine, HelpText>> Grammar::Parse(std::vector<std::string> arguments) {
  using Parsed = std::variant<CommandLine, HelpText>;
  ASSIGN_OR_RETURN(const auto parsed, program_.Parse(std::move(arguments)));
  if (const auto* help = std::get_if<HelpText>(&parsed)) return Parsed(*help);
  const auto& [words, common] = std::get<ParsedVerb>(parsed);
  ASSIGN_OR_RETURN(Verb verb, verbs_.at(words)(words_).While(words));
  return Parsed(CommandLine{
      .common = common, .target = {.sysroot = words_.sysroot, .boot = words_.boot}, .verb = std::move(verb)});
}

}  // namespace

Result<std::variant<CommandLine, HelpText>> ParseCommandLine(std::vector<std::string> arguments) {
  return Grammar().Parse(std::move(arguments));
}

}  // namespace hostapp::cli

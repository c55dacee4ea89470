// SPDX-License-Identifier: Apache-2.0
// The only file that knows the command-line library.
#include "tools/hostapp/command_line.h"

#include <CLI/CLI.hpp>
#include <functional>

#include "hostapp/base/strings.h"
#include "tools/cli/arguments.h"

namespace hostapp::cli {
namespace {

const std::vector<std::string> kLaterVerbs = {"export"};

// The words as they stood; MakeVerb() gives them meaning.
struct Words {
  CommonFlags common;
  std::string sysroot, boot;
  std::string disk, loader = "grub", file_system = "ext4", hostname, password_hash;
  std::vector<std::string> ssh_keys;
  std::string reference, serial, dir, reason, tries = "3", root = "checkout", to, trust_key, policy;
  std::vector<std::string> kernel_arguments, removed_arguments, keep;
  bool dry_run = false, reboot = false, check = false, retry = false, shutdown = false, repair = false, yes = false,
       give_up_previous = false, cancel = false, erase = false;
};

Result<DeploymentSerial> SerialFrom(const std::string& text) {
  return NumberArgument("the serial number", text, 1, UINT64_MAX);
}

Result<std::optional<DeploymentSerial>> OptionalSerial(const std::string& text, bool given) {
  if (!given) return std::optional<DeploymentSerial>();
  ASSIGN_OR_RETURN(const DeploymentSerial serial, SerialFrom(text));
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

Result<Verb> MakeInstall(const Words& words) {
  InstallVerb verb;
  if (!words.sysroot.empty() || !words.boot.empty()) {
    return Error(Errc::kInvalid, "--sysroot and --boot are not for install: the disk gets its own");
  }
  verb.options.disk = words.disk;
  ASSIGN_OR_RETURN(verb.reference, ParseReference(words.reference));
  ASSIGN_OR_RETURN(verb.options.loader, LoaderFrom(words.loader));
  ASSIGN_OR_RETURN(verb.options.file_system, FileSystemFrom(words.file_system));
  if (words.erase) verb.options.erase = InstallOptions::Erase::kWhatIsThere;
  verb.options.kernel_arguments = words.kernel_arguments;
  if (!words.hostname.empty()) {
    TRY(CheckHostname(words.hostname).While("--hostname"));
    verb.settings.hostname = words.hostname;
  }
  verb.settings.ssh_keys = words.ssh_keys;
  if (!words.password_hash.empty()) verb.settings.password_hash = words.password_hash;
  return Verb(std::move(verb));
}

using MakeVerb = std::function<Result<Verb>(const Words&)>;

// The verbs, their flags, and what becomes of them.
class Grammar {
 public:
  Grammar();

  Result<std::variant<CommandLine, HelpText>> Parse(std::vector<std::string> arguments);

 private:
  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& description, MakeVerb make);
  void AddGlobalFlags();
  void AddImageVerbs();
  void AddLedgerVerbs();
  void AddKeepVerbs();
  void AddLookVerbs();
  void AddHealthVerbs();
  void AddKargsVerb();
  void AddFactoryResetVerb();
  void AddInstallVerb();
  static void AddRepeated(CLI::App* verb, const std::string& flag, std::vector<std::string>& values,
                          const std::string& description);
  // With one serial number as its argument.
  template <typename VerbType>
  void AddSerialVerb(const std::string& name, const std::string& description);
  Result<CommandLine> Understand() const;

  Words words_;
  CLI::App app_{"Operating systems as container images, on the device."};
  std::vector<std::pair<CLI::App*, MakeVerb>> verbs_;
};

Grammar::Grammar() {
  app_.name("hostapp");
  app_.require_subcommand(1);
  // Global flags may stand behind the verb too.
  app_.fallthrough();
  app_.get_formatter()->column_width(34);
  AddGlobalFlags();
  AddImageVerbs();
  AddLedgerVerbs();
  AddKargsVerb();
  AddFactoryResetVerb();
  AddInstallVerb();
  AddKeepVerbs();
  AddLookVerbs();
  AddHealthVerbs();
}

CLI::App* Grammar::Add(CLI::App* parent, const std::string& name, const std::string& description, MakeVerb make) {
  CLI::App* verb = parent->add_subcommand(name, description);
  if (make) verbs_.emplace_back(verb, std::move(make));
  return verb;
}

void Grammar::AddGlobalFlags() {
  app_.set_help_flag("-h,--help", "Print this help and exit");
  app_.set_version_flag("--version", StrCat("hostapp ", HOSTAPP_VERSION));
  app_.add_option("--sysroot", words_.sysroot, "The device's tree; on a booted device it is found")->type_name("DIR");
  app_.add_option("--boot", words_.boot, "The file system that holds kernels; otherwise found, or DIR/boot")
      ->type_name("DIR");
  app_.add_flag("--json", words_.common.json, "One JSON document on standard output");
  app_.add_option("--progress", words_.common.progress, "auto, bar, plain, json or none, on standard error")
      ->type_name("KIND");
  app_.add_flag("--quiet", words_.common.quiet, "Only errors, warnings and what was asked for");
  app_.add_flag("--verbose", words_.common.verbose, "Also what is decided, and why");
}

void Grammar::AddRepeated(CLI::App* verb, const std::string& flag, std::vector<std::string>& values,
                          const std::string& description) {
  verb->add_option(flag, values, description)
      ->type_name("K")
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Grammar::AddKargsVerb() {
  CLI::App* kargs =
      Add(&app_, "kargs", "The kernel arguments; with --append or --delete: change the device's",
          [](const Words& words) -> Result<Verb> {
            KargsVerb verb{.edit = {.append = words.kernel_arguments, .remove = words.removed_arguments},
                           .restart = RestartIf(words.reboot)};
            ASSIGN_OR_RETURN(const uint64_t tries, NumberArgument("--tries", words.tries, 1, bootsel::kMaxTries));
            verb.tries = static_cast<int>(tries);
            if (words.reboot && verb.edit.append.empty() && verb.edit.remove.empty()) {
              return Error(Errc::kInvalid, "--reboot needs --append or --delete");
            }
            return Verb(std::move(verb));
          });
  AddRepeated(kargs, "--append", words_.kernel_arguments, "Add one, in a new deployment on trial; may be repeated");
  AddRepeated(kargs, "--delete", words_.removed_arguments, "Take one away, as it stands; may be repeated");
  kargs->add_option("--tries", words_.tries, "Boots that it may need to prove itself, 1 to 9 (3)")->type_name("N");
  kargs->add_flag("--reboot", words_.reboot, "Restart into it");
}

void Grammar::AddFactoryResetVerb() {
  CLI::App* reset =
      Add(&app_, "factory-reset", "At the next boot, begin /var and /etc again from the image",
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
          });
  AddRepeated(reset, "--keep", words_.keep, "Keep this file or folder below /var or /etc; may be repeated");
  reset->get_option("--keep")->type_name("PATH");
  reset->add_flag("--reboot", words_.reboot, "Restart now");
  reset->add_flag("--yes", words_.yes, "Needed: what is not kept is lost");
  reset->add_flag("--cancel", words_.cancel, "Take a request back that still waits");
}

void Grammar::AddInstallVerb() {
  CLI::App* install = Add(&app_, "install", "Make a whole disk a device's, with an image deployed on it", MakeInstall);
  install->add_option("disk", words_.disk, "The disk, as /dev/sdb: empty, and not in use")
      ->required()
      ->type_name("DISK");
  install->add_option("reference", words_.reference, "as for pull")->required()->type_name("REF");
  install->add_flag("--erase", words_.erase, "Also a disk that is not empty: all that is on it is lost");
  install->add_option("--loader", words_.loader, "grub, for BIOS and UEFI, systemd-boot, uboot or none (grub)")
      ->type_name("NAME");
  install->add_option("--fs", words_.file_system, "The root file system: ext4, xfs or btrfs (ext4)")->type_name("KIND");
  AddRepeated(install, "--karg", words_.kernel_arguments, "A kernel argument; may be repeated");
  install->add_option("--hostname", words_.hostname, "The device's name")->type_name("NAME");
  AddRepeated(install, "--ssh-key", words_.ssh_keys, "Public keys that may log in as root; may be repeated");
  install->get_option("--ssh-key")->type_name("FILE");
  install
      ->add_option("--password-hash", words_.password_hash,
                   "root's password, as `openssl passwd -6` prints it; -: standard input")
      ->type_name("FILE");
}

void Grammar::AddImageVerbs() {
  CLI::App* init = Add(&app_, "init", "Make the store, the boot ledger and the folders",
                       [](const Words&) -> Result<Verb> { return Verb(InitVerb{}); });
  // Named by the documentation of a later version: better said than "not expected".
  init->add_option("--trust-key", words_.trust_key)->group("");
  init->add_option("--policy", words_.policy)->group("");

  CLI::App* pull =
      Add(&app_, "pull", "Bring an image into the store, deploy nothing", [](const Words& words) -> Result<Verb> {
        ASSIGN_OR_RETURN(Reference reference, ParseReference(words.reference));
        return Verb(PullVerb{std::move(reference)});
      });
  pull->add_option("reference", words_.reference,
                   "docker://HOST/REPO[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG]")
      ->required()
      ->type_name("REF");

  CLI::App* deploy =
      Add(&app_, "deploy", "Pull an image and make it a deployment on trial", [](const Words& words) -> Result<Verb> {
        if (words.root == "composefs") {
          return Error(Errc::kInvalid, StrCat("--root composefs is not in this version (", HOSTAPP_VERSION, ")"));
        }
        if (words.root != "checkout") {
          return Error(Errc::kInvalid, StrCat("--root ", Escape(words.root), ": it is checkout"));
        }
        DeployVerb verb;
        ASSIGN_OR_RETURN(verb.reference, ParseReference(words.reference));
        ASSIGN_OR_RETURN(const uint64_t tries, NumberArgument("--tries", words.tries, 1, bootsel::kMaxTries));
        verb.options = {.tries = static_cast<int>(tries), .kernel_arguments = words.kernel_arguments};
        verb.mode = words.dry_run ? DeployVerb::Mode::kDryRun : DeployVerb::Mode::kDeploy;
        verb.restart = RestartIf(words.reboot);
        if (words.dry_run && words.reboot) return Error(Errc::kInvalid, "--dry-run and --reboot exclude each other");
        return Verb(std::move(verb));
      });
  deploy->add_option("reference", words_.reference, "as for pull")->required()->type_name("REF");
  deploy->add_option("--tries", words_.tries, "Boots that it may need to prove itself, 1 to 9 (3)")->type_name("N");
  AddRepeated(deploy, "--karg", words_.kernel_arguments,
              "A kernel argument of the device, after the image's own; may be repeated; later releases get it too");
  deploy->add_option("--root", words_.root, "How the tree is kept: checkout")->type_name("KIND");
  deploy->add_flag("--dry-run", words_.dry_run, "Only say what would be fetched and written");
  deploy->add_flag("--reboot", words_.reboot, "Restart into it");

  CLI::App* upgrade = Add(&app_, "upgrade", "Deploy what the default deployment's reference names now",
                          [](const Words& words) -> Result<Verb> {
                            UpgradeVerb verb;
                            if (words.check) verb.options.mode = UpgradeOptions::Mode::kCheckOnly;
                            if (words.retry) verb.options.failed_before = UpgradeOptions::FailedBefore::kRetry;
                            verb.restart = RestartIf(words.reboot);
                            if (words.check && words.reboot)
                              return Error(Errc::kInvalid, "--check and --reboot exclude each other");
                            return Verb(verb);
                          });
  upgrade->add_flag("--check", words_.check, "Only say whether there is something new");
  upgrade->add_flag("--reboot", words_.reboot, "Restart if something new was deployed");
  upgrade->add_flag("--retry", words_.retry, "Also a release that has failed here");
}

void Grammar::AddLedgerVerbs() {
  Add(&app_, "status", "What runs, what boots next and why, the last failure",
      [](const Words&) -> Result<Verb> { return Verb(StatusVerb{}); });
  CLI::App* rollback =
      Add(&app_, "rollback", "Make the previous deployment the default; during a trial: end it", nullptr);
  CLI::Option* to = rollback->add_option("--to", words_.to, "That deployment instead")->type_name("SERIAL");
  verbs_.emplace_back(rollback, [to](const Words& words) -> Result<Verb> {
    ASSIGN_OR_RETURN(const auto serial, OptionalSerial(words.to, to->count() > 0));
    return Verb(RollbackVerb{.to = serial, .restart = RestartIf(words.reboot)});
  });
  rollback->add_flag("--reboot", words_.reboot, "Restart into it");
  Add(&app_, "mark-good", "End the running deployment's trial: it is the default",
      [](const Words&) -> Result<Verb> { return Verb(MarkGoodVerb{}); });
  CLI::App* failed = Add(&app_, "mark-failed", "End the running deployment's trial: it has failed",
                         [](const Words& words) -> Result<Verb> { return Verb(MarkFailedVerb{words.reason}); });
  failed->add_option("--reason", words_.reason, "Why, for status")->required()->type_name("TEXT");
  CLI::App* reconcile =
      Add(&app_, "reconcile", "Settle what the last boot left open", [](const Words& words) -> Result<Verb> {
        using When = ReconcileVerb::When;
        return Verb(ReconcileVerb{words.shutdown ? When::kShutdown : When::kBoot});
      });
  reconcile->add_flag("--shutdown", words_.shutdown,
                      "The machine is restarted on purpose: a running trial's try comes back");
}

template <typename VerbType>
void Grammar::AddSerialVerb(const std::string& name, const std::string& description) {
  CLI::App* verb = Add(&app_, name, description, [](const Words& words) -> Result<Verb> {
    ASSIGN_OR_RETURN(const DeploymentSerial serial, SerialFrom(words.serial));
    return Verb(VerbType{serial});
  });
  verb->add_option("serial", words_.serial, "The deployment")->required()->type_name("SERIAL");
}

void Grammar::AddKeepVerbs() {
  AddSerialVerb<PinVerb>("pin", "Keep a deployment whatever gc finds");
  AddSerialVerb<UnpinVerb>("unpin", "No longer");
  AddSerialVerb<RemoveVerb>("remove", "Remove a deployment that is not needed");
  CLI::App* gc = Add(&app_, "gc", "Remove what nothing needs", [](const Words& words) -> Result<Verb> {
    return Verb(GcVerb{.mode = words.dry_run ? PruneMode::kDryRun : PruneMode::kRemove,
                       .give_up_previous = words.give_up_previous});
  });
  CLI::Option* dry_run = gc->add_flag("--dry-run", words_.dry_run, "Only count");
  gc->add_flag("--give-up-previous", words_.give_up_previous,
               "The previous deployment too, where the default is proven")
      ->excludes(dry_run);
  CLI::App* fsck =
      Add(&app_, "fsck", "Verify store, deployments, boot sets and ledger", [](const Words& words) -> Result<Verb> {
        return Verb(FsckVerb{words.repair ? RepairMode::kRepair : RepairMode::kReportOnly});
      });
  fsck->add_flag("--repair", words_.repair, "Mend it, fetching what is damaged from the image's source");
}

void Grammar::AddLookVerbs() {
  Add(&app_, "grow", "Give the root file system the whole disk",
      [](const Words&) -> Result<Verb> { return Verb(GrowVerb{}); });
  CLI::App* etc = Add(&app_, "etc", "The device's own settings", nullptr);
  etc->require_subcommand(1);
  CLI::App* diff = Add(etc, "diff", "Local changes to /etc", nullptr);
  CLI::Option* serial =
      diff->add_option("serial", words_.serial, "Of that deployment; otherwise the running one's")->type_name("SERIAL");
  verbs_.emplace_back(diff, [serial](const Words& words) -> Result<Verb> {
    ASSIGN_OR_RETURN(const auto value, OptionalSerial(words.serial, serial->count() > 0));
    return Verb(EtcDiffVerb{value});
  });
  CLI::App* mount = Add(&app_, "mount", "Mount a deployment's tree, read-only, to look inside",
                        [](const Words& words) -> Result<Verb> {
                          ASSIGN_OR_RETURN(const DeploymentSerial value, SerialFrom(words.serial));
                          return Verb(MountVerb{value, words.dir});
                        });
  mount->add_option("serial", words_.serial, "The deployment")->required()->type_name("SERIAL");
  mount->add_option("dir", words_.dir, "An existing folder")->required()->type_name("DIR");
  CLI::App* unmount = Add(&app_, "unmount", "End that",
                          [](const Words& words) -> Result<Verb> { return Verb(UnmountVerb{words.dir}); });
  unmount->add_option("dir", words_.dir, "The folder")->required()->type_name("DIR");
}

void Grammar::AddHealthVerbs() {
  Add(&app_, "log", "The last transitions of what boots, each with its cause",
      [](const Words&) -> Result<Verb> { return Verb(LogVerb{}); });
  CLI::App* loader = Add(&app_, "loader", "The boot loader", nullptr);
  loader->require_subcommand(1);
  Add(loader, "update", "Bring the boot loader's program to the running release's, where that is safe",
      [](const Words&) -> Result<Verb> { return Verb(LoaderUpdateVerb{}); });
  CLI::App* health = Add(&app_, "health", "Health checks", nullptr);
  health->require_subcommand(1);
  Add(health, "run", "Run the checks and print each; mark nothing",
      [](const Words&) -> Result<Verb> { return Verb(HealthRunVerb{}); });
  Add(health, "prove", "Run the checks and end a running trial: good, or failed and a restart",
      [](const Words&) -> Result<Verb> { return Verb(HealthProveVerb{}); });
}

Result<CommandLine> Grammar::Understand() const {
  for (const char* flag : {"--trust-key", "--policy"}) {
    if (app_.get_subcommand("init")->count(flag) > 0) {
      return Error(Errc::kInvalid, StrCat("init ", flag, " is not in this version (", HOSTAPP_VERSION,
                                          "): images are not verified against keys yet"));
    }
  }
  CommandLine line;
  ASSIGN_OR_RETURN(line.common, CommonOptionsFrom(words_.common));
  if (app_.count("--sysroot") > 0) line.target.sysroot = words_.sysroot;
  if (app_.count("--boot") > 0) line.target.boot = words_.boot;
  for (const auto& [verb, make] : verbs_) {
    if (!verb->parsed()) continue;
    ASSIGN_OR_RETURN(line.verb, make(words_).While(verb->get_name()));
    return line;
  }
  return Error(Errc::kInternal, "a verb without a meaning");
}

Result<std::variant<CommandLine, HelpText>> Grammar::Parse(std::vector<std::string> arguments) {
  const std::string word = FirstWord(arguments, {"--sysroot", "--boot", "--progress"});
  std::vector<std::string> names;
  for (const CLI::App* verb : app_.get_subcommands({})) names.push_back(verb->get_name());
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return std::variant<CommandLine, HelpText>(HelpText{app_.help()});
  } catch (const CLI::CallForVersion& version) {
    return std::variant<CommandLine, HelpText>(HelpText{StrCat(version.what(), "\n")});
  } catch (const CLI::ParseError& error) {
    return UsageError("hostapp", word, names, kLaterVerbs, error.what());
  }
  ASSIGN_OR_RETURN(CommandLine line, Understand());
  return std::variant<CommandLine, HelpText>(std::move(line));
}

}  // namespace

Result<std::variant<CommandLine, HelpText>> ParseCommandLine(std::vector<std::string> arguments) {
  return Grammar().Parse(std::move(arguments));
}

}  // namespace hostapp::cli

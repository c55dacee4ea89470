// SPDX-License-Identifier: Apache-2.0
// The only file that knows the command-line library.
#include "tools/hostapp-image/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "hostapp/base/strings.h"
#include "hostapp/oci/image_config.h"
#include "tools/cli/arguments.h"

namespace hostapp::cli {
namespace {

const std::vector<std::string> kLaterVerbs = {"diff", "lint", "delta", "keygen", "sign", "verify", "composefs-digest"};
constexpr uint64_t kMostLayers = 100;

// The words as they stood; MakeVerb() gives them meaning.
struct Words {
  CommonFlags common;
  std::string rootfs, source, destination, reference, version, base,
      layers = "1", compression = "zstd", level = "0", file, size, loader = "none", file_system = "ext4", hostname,
      password_hash;
  std::vector<std::string> labels, kernel_arguments, ssh_keys;
};

using MakeVerb = std::function<Result<ImageVerb>(const Words&)>;

Result<Reference> ReferenceFrom(std::string_view what, const std::string& text) {
  return ParseReference(text).While(what);
}

Result<Annotations> LabelsFrom(const Words& words) {
  Annotations labels;
  for (const std::string& label : words.labels) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Error(Errc::kInvalid, StrCat("--label ", Escape(label), ": it is NAME=VALUE"));
    }
    if (!labels.emplace(label.substr(0, equals), label.substr(equals + 1)).second) {
      return Error(Errc::kInvalid, StrCat("--label ", Escape(label.substr(0, equals)), " is given twice"));
    }
  }
  if (!words.version.empty() && !labels.emplace(kVersionLabel, words.version).second) {
    return Error(Errc::kInvalid, StrCat("--version and --label ", kVersionLabel, " exclude each other"));
  }
  return labels;
}

// Levels as the two formats have them; 0 is our choice.
Result<int> LevelFrom(const Words& words, Compression compression) {
  const uint64_t most = compression == Compression::kGzip ? 9 : 19;
  ASSIGN_OR_RETURN(const uint64_t level, NumberArgument("--level", words.level, 0, most));
  return static_cast<int>(level);
}

Result<ImageVerb> MakePack(const Words& words) {
  PackVerb verb;
  ASSIGN_OR_RETURN(verb.destination, ReferenceFrom("the destination", words.destination));
  if (!words.base.empty()) {
    ASSIGN_OR_RETURN(verb.base, ReferenceFrom("--from-image", words.base));
  }
  verb.options.rootfs = words.rootfs;
  if (words.compression != "zstd" && words.compression != "gzip") {
    return Error(Errc::kInvalid, StrCat("--compression ", Escape(words.compression), ": it is zstd or gzip"));
  }
  verb.options.compression = words.compression == "gzip" ? Compression::kGzip : Compression::kZstd;
  ASSIGN_OR_RETURN(verb.options.level, LevelFrom(words, verb.options.compression));
  ASSIGN_OR_RETURN(const uint64_t layers, NumberArgument("--layers", words.layers, 1, kMostLayers));
  verb.options.layers = static_cast<int>(layers);
  ASSIGN_OR_RETURN(verb.options.labels, LabelsFrom(words));
  return ImageVerb(std::move(verb));
}

Result<ImageVerb> MakeCopy(const Words& words) {
  CopyVerb verb;
  ASSIGN_OR_RETURN(verb.source, ReferenceFrom("the source", words.source));
  ASSIGN_OR_RETURN(verb.destination, ReferenceFrom("the destination", words.destination));
  return ImageVerb(std::move(verb));
}

Result<LoaderKind> LoaderFrom(const std::string& name) {
  const auto loader = ParseLoaderName(name);
  if (!loader)
    return Error(Errc::kInvalid, StrCat("--loader ", Escape(name), ": it is grub, systemd-boot, uboot or none"));
  return *loader;
}

Status CheckFileSystem(const std::string& name) {
  if (name == "ext4") return Ok();
  if (name == "xfs") {
    return Error(Errc::kInvalid,
                 "--fs xfs: a disk image has ext4; mkfs.xfs fills a file system without hard links and extended "
                 "attributes, which a deployment is made of. On a real disk, as root: hostapp install --fs xfs");
  }
  if (name == "btrfs") {
    return Error(Errc::kInvalid,
                 "--fs btrfs: a disk image has ext4; mkfs.btrfs takes owners and capabilities from the files that it "
                 "copies, to which only root could give them. On a real disk, as root: hostapp install --fs btrfs");
  }
  return Error(Errc::kInvalid, StrCat("--fs ", Escape(name), ": it is ext4, xfs or btrfs"));
}

Result<ImageVerb> MakeDisk(const Words& words) {
  DiskVerb verb;
  ASSIGN_OR_RETURN(verb.reference, ReferenceFrom("the image", words.reference));
  verb.options.file = words.file;
  ASSIGN_OR_RETURN(verb.options.loader, LoaderFrom(words.loader));
  TRY(CheckFileSystem(words.file_system));
  if (!words.size.empty()) {
    ASSIGN_OR_RETURN(verb.options.bytes, SizeArgument("--size", words.size));
  }
  verb.options.kernel_arguments = words.kernel_arguments;
  if (!words.hostname.empty()) {
    TRY(CheckHostname(words.hostname).While("--hostname"));
    verb.settings.hostname = words.hostname;
  }
  verb.settings.ssh_keys = words.ssh_keys;
  if (!words.password_hash.empty()) verb.settings.password_hash = words.password_hash;
  return ImageVerb(std::move(verb));
}

class Grammar {
 public:
  Grammar();

  Result<std::variant<ImageCommandLine, HelpText>> Parse(std::vector<std::string> arguments);

 private:
  CLI::App* Add(const std::string& name, const std::string& description, MakeVerb make);
  static CLI::Option* AddRepeated(CLI::App* verb, const std::string& flag, std::vector<std::string>& values,
                                  const std::string& description);
  void AddGlobalFlags();
  void AddPack();
  void AddCopy(const std::string& name, const std::string& description);
  void AddInspect();
  void AddDisk();
  Result<ImageCommandLine> Understand() const;

  Words words_;
  CLI::App app_{"Operating systems as container images, where releases are made."};
  std::vector<std::pair<CLI::App*, MakeVerb>> verbs_;
};

Grammar::Grammar() {
  app_.name("hostapp-image");
  app_.require_subcommand(1);
  // Global flags may stand behind the verb too.
  app_.fallthrough();
  app_.get_formatter()->column_width(34);
  AddGlobalFlags();
  AddPack();
  AddCopy("copy", "Copy an image from any transport to any other");
  AddCopy("push", "The same");
  AddInspect();
  AddDisk();
}

CLI::App* Grammar::Add(const std::string& name, const std::string& description, MakeVerb make) {
  CLI::App* verb = app_.add_subcommand(name, description);
  verbs_.emplace_back(verb, std::move(make));
  return verb;
}

CLI::Option* Grammar::AddRepeated(CLI::App* verb, const std::string& flag, std::vector<std::string>& values,
                                  const std::string& description) {
  return verb->add_option(flag, values, description)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Grammar::AddGlobalFlags() {
  app_.set_help_flag("-h,--help", "Print this help and exit");
  app_.set_version_flag("--version", StrCat("hostapp-image ", HOSTAPP_VERSION));
  app_.add_flag("--json", words_.common.json, "One JSON document on standard output");
  app_.add_option("--progress", words_.common.progress, "auto, bar, plain, json or none, on standard error")
      ->type_name("KIND");
  app_.add_flag("--quiet", words_.common.quiet, "Only errors, warnings and what was asked for");
  app_.add_flag("--verbose", words_.common.verbose, "Also what is decided, and why");
}

void Grammar::AddPack() {
  CLI::App* pack =
      Add("pack", "Make an image of a root file system, bit for bit the same for the same input", MakePack);
  pack->add_option("rootfs", words_.rootfs, "A folder, or a tar")->required()->type_name("ROOTFS");
  pack->add_option("destination", words_.destination,
                   "docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]")
      ->required()
      ->type_name("DEST");
  pack->add_option("--version", words_.version, "The release's version, a label of the image")->type_name("V");
  pack->add_option("--from-image", words_.base, "Build on this image: only what differs is a new layer")
      ->type_name("REF");
  pack->add_option("--layers", words_.layers, "Layers to split it into (1)")->type_name("N");
  pack->add_option("--compression", words_.compression, "zstd or gzip (zstd)")->type_name("KIND");
  pack->add_option("--level", words_.level, "Compression level; 0: a good one (0)")->type_name("N");
  AddRepeated(pack, "--label", words_.labels, "A label of the image; may be repeated")->type_name("K=V");
}

void Grammar::AddCopy(const std::string& name, const std::string& description) {
  CLI::App* copy = Add(name, description, MakeCopy);
  copy->add_option("source", words_.source,
                   "docker://HOST/REPO[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE[:TAG]")
      ->required()
      ->type_name("SRC");
  copy->add_option("destination", words_.destination, "as for pack")->required()->type_name("DEST");
}

void Grammar::AddInspect() {
  CLI::App* inspect =
      Add("inspect", "Show manifest, config, layers, kernel and version", [](const Words& words) -> Result<ImageVerb> {
        ASSIGN_OR_RETURN(Reference reference, ReferenceFrom("the image", words.reference));
        return ImageVerb(InspectVerb{std::move(reference)});
      });
  inspect->add_option("reference", words_.reference, "as the source of copy")->required()->type_name("REF");
}

void Grammar::AddDisk() {
  CLI::App* disk = Add("disk", "Make a bootable disk image with the image deployed, without root", MakeDisk);
  disk->add_option("reference", words_.reference, "as the source of copy")->required()->type_name("REF");
  disk->add_option("file", words_.file, "The disk image; replaced when the new one is complete")
      ->required()
      ->type_name("FILE");
  disk->add_option("--size", words_.size, "Of the disk, as 8G (fits the image and the next one)")->type_name("S");
  disk->add_option("--loader", words_.loader,
                   "grub, for BIOS and UEFI; systemd-boot, for UEFI; uboot, for boards that bring it; or none: the "
                   "kernel is given from outside (none)")
      ->type_name("NAME");
  disk->add_option("--fs", words_.file_system, "The root file system (ext4)")->type_name("KIND");
  AddRepeated(disk, "--karg", words_.kernel_arguments, "A kernel argument; may be repeated")->type_name("K");
  disk->add_option("--hostname", words_.hostname, "The device's name")->type_name("NAME");
  AddRepeated(disk, "--ssh-key", words_.ssh_keys, "Public keys that may log in as root; may be repeated")
      ->type_name("FILE");
  disk->add_option("--password-hash", words_.password_hash,
                   "root's password, as `openssl passwd -6` prints it; -: standard input")
      ->type_name("FILE");
}

Result<ImageCommandLine> Grammar::Understand() const {
  ImageCommandLine line{.common = {}, .verb = CopyVerb{}};
  ASSIGN_OR_RETURN(line.common, CommonOptionsFrom(words_.common));
  for (const auto& [verb, make] : verbs_) {
    if (!verb->parsed()) continue;
    ASSIGN_OR_RETURN(line.verb, make(words_).While(verb->get_name()));
    return line;
  }
  return Error(Errc::kInternal, "a verb without a meaning");
}

Result<std::variant<ImageCommandLine, HelpText>> Grammar::Parse(std::vector<std::string> arguments) {
  using Parsed = std::variant<ImageCommandLine, HelpText>;
  const std::string word = FirstWord(arguments, {"--progress"});
  std::vector<std::string> names;
  for (const CLI::App* verb : app_.get_subcommands({})) names.push_back(verb->get_name());
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return Parsed(HelpText{app_.help()});
  } catch (const CLI::CallForVersion& version) {
    return Parsed(HelpText{StrCat(version.what(), "\n")});
  } catch (const CLI::ParseError& error) {
    return UsageError("hostapp-image", word, names, kLaterVerbs, error.what());
  }
  ASSIGN_OR_RETURN(ImageCommandLine line, Understand());
  return Parsed(std::move(line));
}

}  // namespace

Result<std::variant<ImageCommandLine, HelpText>> ParseImageCommandLine(std::vector<std::string> arguments) {
  return Grammar().Parse(std::move(arguments));
}

}  // namespace hostapp::cli

// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp-image/command_line.h"

#include <functional>
#include <map>

#include "hostapp/base/strings.h"
#include "hostapp/oci/image_config.h"
#include "ostree-integration/sysroot/deployment.h"
#include "tools/cli/grammar.h"

namespace hostapp::cli {
namespace {

const std::vector<std::string> kLaterVerbs = {"diff", "lint", "delta", "keygen", "sign", "verify"};
constexpr uint64_t kMostLayers = 100;

// The words as they stood; MakeVerb() gives them meaning.
struct Words {
  std::string rootfs, source, destination, reference, version, base,
      layers = "1", compression = "zstd", level = "0", file, size, loader = "none", file_system = "ext4", hostname,
      password_hash;
  std::optional<std::string> root, image, dump, format;
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
  if (words.root) {
    ASSIGN_OR_RETURN(verb.options.root, ParseRootName(*words.root).While("--root"));
  }
  if (!words.hostname.empty()) {
    TRY(CheckHostname(words.hostname).While("--hostname"));
    verb.settings.hostname = words.hostname;
  }
  verb.settings.ssh_keys = words.ssh_keys;
  if (!words.password_hash.empty()) verb.settings.password_hash = words.password_hash;
  return ImageVerb(std::move(verb));
}

Result<ImageVerb> MakeComposefsDigest(const Words& words) {
  ComposefsDigestVerb verb;
  if (words.image.has_value() == words.dump.has_value()) {
    return Error(Errc::kInvalid, "it is of an image or of --from-dump FILE: one of the two");
  }
  if (words.format && !words.dump) {
    return Error(Errc::kInvalid, "--format goes with --from-dump: an image's is what devices write");
  }
  if (words.image) {
    ASSIGN_OR_RETURN(verb.reference, ReferenceFrom("the image", *words.image));
  }
  verb.dump = words.dump;
  if (words.format) {
    ASSIGN_OR_RETURN(const uint64_t format, NumberArgument("--format", *words.format, 0, 1));
    verb.format = static_cast<int>(format);
  }
  return ImageVerb(std::move(verb));
}

class Grammar {
 public:
  Grammar();

  Result<std::variant<ImageCommandLine, HelpText>> Parse(std::vector<std::string> arguments);

 private:
  VerbGrammar Add(const std::string& words, const std::string& description, MakeVerb make);
  void AddPack();
  void AddCopy(const std::string& name, const std::string& description);
  void AddInspect();
  void AddDisk();
  void AddComposefsDigest();

  Words words_;
  ProgramGrammar program_{"hostapp-image", "Operating systems as container images, where releases are made.",
                          kLaterVerbs};
  std::map<std::string, MakeVerb> verbs_;
};

Grammar::Grammar() {
  AddPack();
  AddCopy("copy", "Copy an image from any transport to any other");
  AddCopy("push", "The same");
  AddInspect();
  AddDisk();
  AddComposefsDigest();
}

VerbGrammar Grammar::Add(const std::string& words, const std::string& description, MakeVerb make) {
  verbs_.emplace(words, std::move(make));
  return program_.Verb(words, description);
}

void Grammar::AddPack() {
  Add("pack", "Make an image of a root file system, bit for bit the same for the same input", MakePack)
      .Argument("rootfs", words_.rootfs, "A folder, or a tar", "ROOTFS")
      .Argument("destination", words_.destination, "docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]",
                "DEST")
      .Option("--version", words_.version, "The release's version, a label of the image", "V")
      .Option("--from-image", words_.base, "Build on this image: only what differs is a new layer", "REF")
      .Option("--layers", words_.layers, "Layers to split it into (1)", "N")
      .Option("--compression", words_.compression, "zstd or gzip (zstd)", "KIND")
      .Option("--level", words_.level, "Compression level; 0: a good one (0)", "N")
      .Repeated("--label", words_.labels, "A label of the image; may be repeated", "K=V");
}

void Grammar::AddCopy(const std::string& name, const std::string& description) {
  Add(name, description, MakeCopy)
      .Argument("source", words_.source, "docker://HOST/REPO[:TAG][@DIGEST], oci:DIR[:TAG] or oci-archive:FILE[:TAG]",
                "SRC")
      .Argument("destination", words_.destination, "as for pack", "DEST");
}

void Grammar::AddInspect() {
  Add("inspect", "Show manifest, config, layers, kernel and version", [](const Words& words) -> Result<ImageVerb> {
    ASSIGN_OR_RETURN(Reference reference, ReferenceFrom("the image", words.reference));
    return ImageVerb(InspectVerb{std::move(reference)});
  }).Argument("reference", words_.reference, "as the source of copy", "REF");
}

void Grammar::AddDisk() {
  Add("disk", "Make a bootable disk image with the image deployed, without root", MakeDisk)
      .Argument("reference", words_.reference, "as the source of copy", "REF")
      .Argument("file", words_.file, "The disk image; replaced when the new one is complete", "FILE")
      .Option("--size", words_.size, "Of the disk, as 8G (fits the image and the next one)", "S")
      .Option("--loader", words_.loader,
              "grub, for BIOS and UEFI; systemd-boot, for UEFI; uboot, for boards that bring it; or none: the "
              "kernel is given from outside (none)",
              "NAME")
      .Option("--fs", words_.file_system, "The root file system (ext4)", "KIND")
      .Repeated("--karg", words_.kernel_arguments, "A kernel argument; may be repeated", "K")
      .Option("--root", words_.root,
              "How trees are kept on the device: composefs or checkout (composefs, where the image can have it)",
              "KIND")
      .Option("--hostname", words_.hostname, "The device's name", "NAME")
      .Repeated("--ssh-key", words_.ssh_keys, "Public keys that may log in as root; may be repeated", "FILE")
      .Option("--password-hash", words_.password_hash,
              "root's password, as `openssl passwd -6` prints it; -: standard input", "FILE");
}

void Grammar::AddComposefsDigest() {
  Add("composefs-digest", "Print the fs-verity digest of the composefs image that stands for a tree",
      MakeComposefsDigest)
      .Argument("reference", words_.image, "as the source of copy", "REF")
      .Option("--from-dump", words_.dump, "Of a tree written down as composefs-dump(5) says; -: standard input", "FILE")
      .Option("--format", words_.format, "The dump's image in this version of the format (the oldest that can be)",
              "0|1");
}

Result<std::variant<ImageCommandLine, HelpText>> Grammar::Parse(std::vector<std::string> arguments) {
  using Parsed = std::variant<ImageCommandLine, HelpText>;
  ASSIGN_OR_RETURN(const auto parsed, program_.Parse(std::move(arguments)));
  if (const auto* help = std::get_if<HelpText>(&parsed)) return Parsed(*help);
  const auto& [words, common] = std::get<ParsedVerb>(parsed);
  ASSIGN_OR_RETURN(ImageVerb verb, verbs_.at(words)(words_).While(words));
  return Parsed(ImageCommandLine{.common = common, .verb = std::move(verb)});
}

}  // namespace

Result<std::variant<ImageCommandLine, HelpText>> ParseImageCommandLine(std::vector<std::string> arguments) {
  return Grammar().Parse(std::move(arguments));
}

}  // namespace hostapp::cli

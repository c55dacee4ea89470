// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/deployment.h"

#include <algorithm>
#include <limits>

#include "hostapp/base/clock.h"
#include "hostapp/base/durable.h"
#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "initramfs/bootsel/cmdline.h"

namespace hostapp {
namespace {

constexpr const char* kJsonName = "deployment.json";
constexpr uint64_t kMaxJsonBytes = 1 << 20;
constexpr int64_t kSchema = 1;

const char* NameOf(Mark mark) { return mark == Mark::kGood ? "good" : "pinned"; }

std::optional<DeploymentSerial> SerialOf(std::string_view name) {
  const DeploymentSerial serial = bootsel::ParseSerial(name);
  if (serial == bootsel::kNoSerial) return std::nullopt;
  return serial;
}

Json ArgumentsJson(const std::vector<std::string>& arguments) {
  Json::Array out;
  for (const std::string& argument : arguments) out.emplace_back(argument);
  return out;
}

Result<std::vector<std::string>> ParseArguments(const JsonCursor& json) {
  std::vector<std::string> out;
  ASSIGN_OR_RETURN(const auto elements, json.Elements());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(out.emplace_back(), element.String());
  }
  return out;
}

bool EndsWith(const std::vector<std::string>& all, const std::vector<std::string>& last) {
  return last.size() <= all.size() && std::equal(last.rbegin(), last.rend(), all.rbegin());
}

Result<Digest> DigestAt(const JsonCursor& json, std::string_view key) {
  ASSIGN_OR_RETURN(const std::string text, json.StringAt(key));
  return Digest::Parse(text).While(json.path(), ".", key);
}

// A SHA-256 without its name: what OSTree writes, and the name of a boot set's folder.
Result<HashValue> Sha256At(const JsonCursor& json, std::string_view key) {
  ASSIGN_OR_RETURN(const std::string text, json.StringAt(key));
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(StrCat("sha256:", text)).While(json.path(), ".", key));
  return digest.value();
}

Result<int64_t> TimeAt(const JsonCursor& json, std::string_view key) {
  ASSIGN_OR_RETURN(const std::string text, json.StringAt(key));
  const std::optional<int64_t> time = ParseTime(text);
  if (!time) return Error(Errc::kCorrupt, StrCat(json.path(), ".", key, ": not a time as RFC 3339 writes it"));
  return *time;
}

Status ParseRoot(const JsonCursor& top, Deployment& deployment) {
  ASSIGN_OR_RETURN(const JsonCursor root, top.Member("root"));
  ASSIGN_OR_RETURN(const std::string name, root.String());
  if (name == "composefs") {
    ASSIGN_OR_RETURN(deployment.composefs, Sha256At(top, "composefs_digest"));
  } else if (name != "checkout") {
    return root.Wrong("is neither composefs nor checkout");
  }
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> chosen, top.OptionalMember("root_chosen"));
  if (!chosen) return Ok();
  ASSIGN_OR_RETURN(deployment.root_chosen, chosen->Bool());
  return Ok();
}

}  // namespace

Result<std::vector<DeploymentSerial>> DeploymentFolders(const Sysroot& sysroot) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sysroot.deployments(), "."));
  std::vector<DeploymentSerial> serials;
  for (const std::string& name : names) {
    if (const auto serial = SerialOf(name)) serials.push_back(*serial);
  }
  std::sort(serials.begin(), serials.end());
  return serials;
}

bool IsComplete(const Sysroot& sysroot, DeploymentSerial serial) {
  return Exists(sysroot.deployments(), StrCat(serial, "/", kJsonName));
}

bool HasMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark) {
  return Exists(sysroot.deployments(), StrCat(serial, "/", NameOf(mark)));
}

std::string_view RootName(RootKind kind) { return kind == RootKind::kComposefs ? "composefs" : "checkout"; }

Result<RootKind> ParseRootName(std::string_view name) {
  for (const RootKind kind : {RootKind::kComposefs, RootKind::kCheckout}) {
    if (name == RootName(kind)) return kind;
  }
  return Error(Errc::kInvalid, StrCat(Escape(name), ": it is composefs or checkout"));
}

std::string DeploymentJson(const Deployment& d) {
  Json::Object object = {
      {"boot_set", d.boot_set.Hex()},
      {"commit", d.commit},
      {"created", FormatTime(d.created)},
      {"device_kernel_arguments", ArgumentsJson(d.device_kernel_arguments)},
      {"kernel_arguments", ArgumentsJson(d.kernel_arguments)},
      {"kernel_version", d.kernel_version},
      {"manifest_digest", d.manifest_digest.ToString()},
      {"reference", d.reference},
      {"root", RootName(RootOf(d))},
      {"root_chosen", d.root_chosen},
      {"schema", kSchema},
      {"serial", d.serial},
      {"version", Json(d.version)},
  };
  if (d.composefs) object["composefs_digest"] = d.composefs->Hex();
  return Json(object).Pretty() + "\n";
}

Result<Deployment> ParseDeployment(std::string_view text) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, kJsonName, {.max_bytes = kMaxJsonBytes}));
  const JsonCursor top(json, kJsonName);
  TRY(top.IntAt("schema", kSchema, kSchema).status());
  ASSIGN_OR_RETURN(const int64_t serial, top.IntAt("serial", 1, kMost));
  ASSIGN_OR_RETURN(const Digest manifest_digest, DigestAt(top, "manifest_digest"));
  ASSIGN_OR_RETURN(const HashValue boot_set, Sha256At(top, "boot_set"));
  ASSIGN_OR_RETURN(const HashValue commit, Sha256At(top, "commit"));
  Deployment d{.serial = static_cast<DeploymentSerial>(serial),
               .manifest_digest = manifest_digest,
               .commit = commit.Hex(),
               .boot_set = boot_set};
  ASSIGN_OR_RETURN(d.reference, top.StringAt("reference"));
  ASSIGN_OR_RETURN(d.version, top.OptionalStringAt("version"));
  ASSIGN_OR_RETURN(d.kernel_version, top.StringAt("kernel_version"));
  ASSIGN_OR_RETURN(d.created, TimeAt(top, "created"));
  TRY(ParseRoot(top, d));
  ASSIGN_OR_RETURN(const JsonCursor arguments, top.Member("kernel_arguments"));
  ASSIGN_OR_RETURN(d.kernel_arguments, ParseArguments(arguments));
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> device, top.OptionalMember("device_kernel_arguments"));
  if (!device) return d;
  ASSIGN_OR_RETURN(d.device_kernel_arguments, ParseArguments(*device));
  if (!EndsWith(d.kernel_arguments, d.device_kernel_arguments)) {
    return device->Wrong("are not the last of kernel_arguments");
  }
  return d;
}

Result<Deployment> LoadDeployment(const Sysroot& sysroot, DeploymentSerial serial) {
  if (!IsComplete(sysroot, serial)) return Error(Errc::kNotFound, StrCat("deployment ", serial, ": there is none"));
  const std::string dir = std::to_string(serial);
  ASSIGN_OR_RETURN(
      const std::string text,
      ReadFile(sysroot.deployments(), StrCat(dir, "/", kJsonName), kMaxJsonBytes).While("reading deployment ", serial));
  ASSIGN_OR_RETURN(Deployment deployment, ParseDeployment(text).While("reading deployment ", serial));
  if (deployment.serial != serial) {
    return Error(Errc::kCorrupt,
                 StrCat("reading deployment ", serial, ": its deployment.json is that of ", deployment.serial));
  }
  deployment.good = HasMark(sysroot, serial, Mark::kGood);
  deployment.pinned = HasMark(sysroot, serial, Mark::kPinned);
  return deployment;
}

Result<std::vector<Deployment>> LoadDeployments(const Sysroot& sysroot, OpContext& ctx) {
  std::vector<Deployment> deployments;
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> serials, DeploymentFolders(sysroot));
  for (const DeploymentSerial serial : serials) {
    if (!IsComplete(sysroot, serial)) continue;
    Result<Deployment> deployment = LoadDeployment(sysroot, serial);
    if (!deployment.ok()) {
      ctx.log.Warning(deployment.error().message());
      continue;
    }
    deployments.push_back(*std::move(deployment));
  }
  return deployments;
}

Result<UniqueFd> OpenDeploymentDir(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx) {
  return OpenDir(sysroot.deployments(), std::to_string(serial), ctx.sys);
}

Status SetMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, serial, ctx));
  if (Exists(dir.get(), NameOf(mark))) return SyncDir(dir.get(), ctx.sys);
  return ReplaceFile(dir.get(), NameOf(mark), {}, 0644, ctx.sys);
}

Status ClearMark(const Sysroot& sysroot, DeploymentSerial serial, Mark mark, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, serial, ctx));
  TRY(RemoveFile(dir.get(), NameOf(mark), ctx.sys));
  return SyncDir(dir.get(), ctx.sys);
}

Status RetireDeployment(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, serial, ctx));
  TRY(RemoveFile(dir.get(), kJsonName, ctx.sys));
  return SyncDir(dir.get(), ctx.sys);
}

Status RemoveDeployment(const StoreLock& /*lock*/, const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx) {
  TRY(RetireDeployment(sysroot, serial, ctx));
  TRY(RemoveTree(sysroot.deployments(), std::to_string(serial), ctx.sys).While("removing deployment ", serial));
  return SyncDir(sysroot.deployments(), ctx.sys);
}

}  // namespace hostapp

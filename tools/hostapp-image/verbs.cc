// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp-image/verbs.h"

#include <cstdlib>

#include "hostapp/base/private_folder.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/composefs_digest.h"
#include "hostapp/lifecycle/copy_image.h"
#include "hostapp/lifecycle/open_image.h"
#include "tools/hostapp-image/render.h"

namespace hostapp::cli {
namespace {

// https://reproducible-builds.org/specs/source-date-epoch/
Result<std::optional<int64_t>> SourceDateEpoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr) return std::optional<int64_t>();
  const std::optional<uint64_t> seconds = ParseUint64(text);
  if (!seconds || *seconds > uint64_t{INT64_MAX}) {
    return Error(Errc::kInvalid, StrCat("SOURCE_DATE_EPOCH=", Escape(text), ": it is a number of seconds since 1970"));
  }
  return std::optional(static_cast<int64_t>(*seconds));
}

// What an image cannot keep is never dropped silently.
void TellDropped(const std::vector<std::string>& dropped, OpContext& ctx) {
  if (dropped.empty()) return;
  constexpr size_t kShown = 3;
  std::vector<std::string> shown;
  for (const std::string& path : dropped) {
    ctx.log.Debug(StrCat("not kept: ", Escape(path)));
    if (shown.size() < kShown) shown.push_back(Escape(path));
  }
  ctx.log.Warning(
      StrCat(dropped.size(), " paths are not kept: ", Join(shown, ", "), dropped.size() > kShown ? ", …" : ""));
}

}  // namespace

Result<Outcome> Run(const PackVerb& verb, OpContext& ctx) {
  PackOptions options = verb.options;
  ASSIGN_OR_RETURN(options.source_date_epoch, SourceDateEpoch());
  options.temp_dir = TempParent();
  std::unique_ptr<ImageSource> base;
  if (verb.base) {
    ASSIGN_OR_RETURN(base, OpenSource(*verb.base, {}, ctx));
    options.base = PackOptions::Base{.reference = *verb.base, .source = base.get()};
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageDestination> destination, OpenDestination(verb.destination, {}, ctx));
  ASSIGN_OR_RETURN(const PackResult result, Pack(options, *destination, ctx));
  TellDropped(result.dropped, ctx);
  return RenderPack(result, verb.destination);
}

Result<Outcome> Run(const CopyVerb& verb, OpContext& ctx) {
  ASSIGN_OR_RETURN(const CopyReport report, CopyImage(verb.source, verb.destination, {}, ctx));
  return RenderCopy(report, verb.destination);
}

Result<Outcome> Run(const InspectVerb& verb, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(verb.reference, {}, ctx));
  ASSIGN_OR_RETURN(ResolvedImage resolved, ResolveImage(verb.reference, *source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(std::string config, FetchSmallBlob(resolved.manifest.config, kMaxConfigBytes, *source, ctx));
  ASSIGN_OR_RETURN(ImageConfig parsed, ParseImageConfig(std::move(config), resolved.manifest.layers.size()));
  return RenderInspect({std::move(resolved.manifest), std::move(parsed), resolved.top_digest});
}

Result<Outcome> Run(const DiskVerb& verb, OpContext& ctx) {
  DiskOptions options = verb.options;
  ASSIGN_OR_RETURN(options.settings, ReadSettings(verb.settings));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(verb.reference, {}, ctx));
  ASSIGN_OR_RETURN(const DiskReport report,
                   MakeDisk(verb.reference, *source, options, ctx).While("making ", Escape(verb.options.file)));
  return RenderDisk(report, verb.options.file);
}

Result<Outcome> Run(const ComposefsDigestVerb& verb, OpContext& ctx) {
  if (verb.dump) {
    ASSIGN_OR_RETURN(const ComposefsDigest digest, DigestOfDump(*verb.dump, verb.format));
    return RenderComposefsDigest(digest);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(*verb.reference, {}, ctx));
  ASSIGN_OR_RETURN(const ComposefsDigest digest, DigestOfImage(*verb.reference, *source, ctx));
  return RenderComposefsDigest(digest);
}

}  // namespace hostapp::cli

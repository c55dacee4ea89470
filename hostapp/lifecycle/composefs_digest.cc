// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/composefs_digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/private_folder.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/recording_syscalls.h"
#include "hostapp/oci/image_config.h"
#include "ostree-integration/composefs/dump.h"
#include "ostree-integration/composefs/erofs_writer.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"

namespace hostapp {
namespace {

class NoSink : public ByteSink {
 public:
  Status Write(ByteSpan) override { return Ok(); }
};

// Into a store that is thrown away: as a user who owns nothing of the image, and syncing nothing.
Result<RootImage> ImageInStore(int folder, const Manifest& manifest, ImageSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Create(folder, ctx));
  ASSIGN_OR_RETURN(std::string text, FetchSmallBlob(manifest.config, kMaxConfigBytes, source, ctx));
  ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(std::move(text), manifest.layers.size()));
  ASSIGN_OR_RETURN(const ImportPlan plan, PlanImport(store, manifest, config));
  TRY(CheckSpace(store, plan, ctx));
  TRY(ImportImage(store, manifest, config, source, ctx).status());
  TRY(MergeImage(store, manifest, config, ctx).status());
  ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, manifest.digest, ctx));
  NoSink nowhere;
  return tree.WriteRootImage(nowhere, ctx);
}

Result<std::string> ReadDumpFile(const std::string& name) {
  const UniqueFd file(::open(name == "-" ? "/dev/stdin" : name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return SysError(errno, "opening it");
  std::string text, buffer(size_t{256} << 10, '\0');
  while (true) {  // not by offsets: it may be a pipe
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading it");
    if (got == 0) break;
    text.append(buffer, 0, static_cast<size_t>(got));
    if (text.size() > kMaxDumpBytes) {
      return Error(Errc::kInvalid, StrCat("it is longer than ", kMaxDumpBytes, " bytes"));
    }
  }
  return text;
}

Result<ComposefsDigest> DigestOfText(std::string_view text, std::optional<int> format) {
  ASSIGN_OR_RETURN(const composefs::Tree tree, composefs::ReadDump(text));
  const composefs::FormatVersion version =
      format ? static_cast<composefs::FormatVersion>(*format) : composefs::OldestFormat(tree);
  NoSink nowhere;
  ASSIGN_OR_RETURN(const composefs::Image image, composefs::WriteImage(tree, version, nowhere));
  ComposefsDigest out{
      .manifest_digest = {}, .digest = {}, .format = static_cast<uint32_t>(version), .bytes = image.bytes};
  std::ranges::copy(image.digest, out.digest.bytes.begin());
  return out;
}

}  // namespace

Result<ComposefsDigest> DigestOfImage(const Reference& reference, ImageSource& source, OpContext& ctx) {
  const auto make = [&]() -> Result<ComposefsDigest> {
    ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
    TRY(CheckIsImage(image.manifest));
    ASSIGN_OR_RETURN(const PrivateFolder folder, PrivateFolder::Make(TempParent(), "hostapp-digest-", ctx.sys));
    RecordingSyscalls recorder;
    OpContext recording{.clock = ctx.clock,
                        .log = ctx.log,
                        .progress = ctx.progress,
                        .cancel = ctx.cancel,
                        .sys = recorder,
                        .jobs = ctx.jobs};
    ASSIGN_OR_RETURN(const RootImage root, ImageInStore(folder.fd(), image.manifest, source, recording));
    return ComposefsDigest{
        .manifest_digest = image.manifest.digest, .digest = root.digest, .format = root.format, .bytes = root.bytes};
  };
  return make().While("the composefs digest of ", Escape(reference.ToString()));
}

Result<ComposefsDigest> DigestOfDump(const std::string& file, std::optional<int> format) {
  const auto make = [&]() -> Result<ComposefsDigest> {
    ASSIGN_OR_RETURN(const std::string text, ReadDumpFile(file));
    return DigestOfText(text, format);
  };
  return make().While("the dump ", Escape(file));
}

}  // namespace hostapp

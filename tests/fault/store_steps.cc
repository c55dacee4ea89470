// SPDX-License-Identifier: Apache-2.0
// store_steps DIR create|import|prune|clean: one change of a store, to be killed in the middle.
#include <fcntl.h>

#include <cstdio>
#include <string_view>

#include "ostree-integration/store/check.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"
#include "ostree-integration/store/prune.h"
#include "tests/support/memory_image.h"
#include "tests/support/tar_bytes.h"

namespace hostapp {
namespace {

testing::TestImage Image(std::string_view version) {
  using testing::TarBytes;
  return testing::MakeImage({TarBytes()
                                 .Dir("usr/")
                                 .File("usr/bin/init", "init")
                                 .Hardlink("usr/bin/init2", "usr/bin/init")
                                 .Symlink("sbin", "usr/bin")
                                 .File("etc/hostname", "device\n")
                                 .File("usr/large", std::string(400'000, 'l'))
                                 .End(),
                             TarBytes().File("usr/version", version).File("etc/.wh.hostname", "").End()});
}

Status Import(ImageStore& store, OpContext& ctx) {
  const testing::TestImage image = Image("new");
  TRY(ImportImage(store, image.manifest, image.config, *image.source, ctx).status());
  ASSIGN_OR_RETURN(const std::string commit, MergeImage(store, image.manifest, image.config, ctx));
  std::printf("%s\n", commit.c_str());
  return Ok();
}

Status Run(int dir, std::string_view verb, OpContext& ctx) {
  if (verb == "create") return ImageStore::Create(dir, ctx).status();
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(dir, ctx));
  if (verb == "import") return Import(store, ctx);
  // prune: nothing is kept; clean: the new image is.
  std::set<Digest> keep;
  if (verb == "clean") keep.insert(Image("new").manifest.digest);
  TRY(Prune(store, keep, PruneMode::kRemove, ctx).status());
  ASSIGN_OR_RETURN(const CheckReport check, CheckStore(store, ctx));
  if (check.problems.empty()) return Ok();
  return Error(Errc::kCorrupt, check.problems[0].what);
}

}  // namespace
}  // namespace hostapp

int main(int argc, char** argv) {
  using namespace hostapp;
  if (argc != 3) return 2;
  StderrLog log(LogLevel::kWarning);
  NullProgress progress;
  OpContext ctx{.clock = RealClock(), .log = log, .progress = progress, .cancel = {}, .sys = RealSyscalls()};
  const UniqueFd dir(::open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return 2;
  const Status status = Run(dir.get(), argv[2], ctx);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", status.error().message().c_str());
  return ExitCode(status.error().code());
}

// SPDX-License-Identifier: Apache-2.0
// pull_layout SYSROOT oci:DIR:TAG: an image into a store, made when missing. Prints the commit, the seconds of import
// and merge, and the most memory that was resident.
#include <fcntl.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>

#include "hostapp/oci/layout.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"

namespace hostapp {
namespace {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

Status Pull(int sysroot, const char* text, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Reference reference, ParseReference(text));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenLayoutDir(reference, ctx));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, *source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(std::string bytes, FetchSmallBlob(image.manifest.config, kMaxConfigBytes, *source, ctx));
  ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(std::move(bytes), image.manifest.layers.size()));
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Create(sysroot, ctx));
  auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const ImportReport report, ImportImage(store, image.manifest, config, *source, ctx));
  const double import = Seconds(start);
  start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const std::string commit, MergeImage(store, image.manifest, config, ctx));
  const double merge = Seconds(start);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("%s import %.2f merge %.2f cpu %ld.%02ld resident-kib %ld objects %llu bytes %llu\n", commit.c_str(),
              import, merge, usage.ru_utime.tv_sec + usage.ru_stime.tv_sec, usage.ru_utime.tv_usec / 10000,
              usage.ru_maxrss, static_cast<unsigned long long>(report.objects_written),
              static_cast<unsigned long long>(report.written_bytes));
  return Ok();
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
  const Status status = Pull(dir.get(), argv[2], ctx);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", status.error().message().c_str());
  return ExitCode(status.error().code());
}

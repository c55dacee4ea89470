// SPDX-License-Identifier: Apache-2.0
// CopyImage() with a command line: copy_image_tool SOURCE DESTINATION CONFIG_DIR [PLATFORM]
//
// CONFIG_DIR may hold auth.json, registries.conf and certs.d/. Prints the digest, and what it cost, on one line.
#include <cstdio>

#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/copy_image.h"

namespace hostapp {
namespace {

Platform ParsePlatform(std::string_view text) {
  const auto parts = Split(text, '/');
  return {.os = std::string(parts[0]),
          .architecture = std::string(parts.size() > 1 ? parts[1] : ""),
          .variant = std::string(parts.size() > 2 ? parts[2] : ""),
          .os_features = {}};
}

int Run(const std::vector<std::string>& args) {
  StderrLog log(LogLevel::kInfo);
  NullProgress progress;
  OpContext ctx{.clock = RealClock(), .log = log, .progress = progress, .cancel = {}, .sys = RealSyscalls()};
  CopyOptions options;
  const std::string& config = args[2];
  RegistryOptions registry;
  registry.paths = {.auth_files = {config + "/auth.json"},
                    .registries_conf = config + "/registries.conf",
                    .registries_conf_dir = {},
                    .certs_dirs = {config + "/certs.d"}};
  registry.stats = std::make_shared<TransferStats>();
  registry.upload_chunk_bytes = uint64_t{1} << 20;
  options.source_registry = registry;
  options.destination_registry = registry;
  if (args.size() > 3) options.platform = ParsePlatform(args[3]);
  const Result<Reference> source = ParseReference(args[0]);
  const Result<Reference> destination = ParseReference(args[1]);
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "copy_image_tool: %s\n", error.message().c_str());
    return ExitCode(error.code());
  };
  if (!source.ok()) return fail(source.error());
  if (!destination.ok()) return fail(destination.error());
  const Result<CopyReport> report = CopyImage(*source, *destination, options, ctx);
  if (!report.ok()) return fail(report.error());
  std::printf(
      "%s manifests=%llu sent=%llu reused=%llu bytes_sent=%llu requests=%llu\n", report->digest.ToString().c_str(),
      static_cast<unsigned long long>(report->manifests), static_cast<unsigned long long>(report->blobs_sent),
      static_cast<unsigned long long>(report->blobs_reused), static_cast<unsigned long long>(report->bytes_sent),
      static_cast<unsigned long long>(registry.stats->requests.load()));
  return 0;
}

}  // namespace
}  // namespace hostapp

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 3) {
    std::fprintf(stderr, "usage: copy_image_tool SOURCE DESTINATION CONFIG_DIR [PLATFORM]\n");
    return 2;
  }
  return hostapp::Run(args);
}

// SPDX-License-Identifier: Apache-2.0
// Dumps (composefs-dump(5)) made into images, as mkcomposefs --from-file does; for the tests beside it and for the
// bench.
//
//   composefs_image v0|v1 DUMP         prints the image's digest
//   composefs_image v0|v1 DUMP IMAGE   and writes it
//   composefs_image time v1 DUMP RUNS  prints milliseconds of making the tree and of making the image, a line a run
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/dump.h"
#include "ostree-integration/composefs/erofs_writer.h"

namespace hostapp::composefs {
namespace {

using Clock = std::chrono::steady_clock;

class NoSink : public ByteSink {
 public:
  Status Write(ByteSpan) override { return Ok(); }
};

// Mapped for the rest of the program.
Result<std::string_view> Map(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return SysError(errno, StrCat("opening ", path));
  if (info.st_size == 0) return std::string_view();
  const auto size = static_cast<size_t>(info.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (at == MAP_FAILED) return SysError(errno, StrCat("mapping ", path));
  return std::string_view(static_cast<const char*>(at), size);
}

Result<FormatVersion> Version(std::string_view text) {
  if (text == "v0") return FormatVersion::kV0;
  if (text == "v1") return FormatVersion::kV1;
  return Error(Errc::kInvalid, "the version is v0 or v1");
}

Status Make(const std::vector<const char*>& args) {
  ASSIGN_OR_RETURN(const FormatVersion version, Version(args[0]));
  ASSIGN_OR_RETURN(const std::string_view text, Map(args[1]));
  ASSIGN_OR_RETURN(const Tree tree, ReadDump(text));
  UniqueFd fd;
  if (args.size() == 3) {
    fd.Reset(::open(args[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd.valid()) return SysError(errno, StrCat("creating ", args[2]));
  }
  FileSink file(fd.get(), RealSyscalls());
  NoSink nowhere;
  ByteSink& sink = fd.valid() ? static_cast<ByteSink&>(file) : nowhere;
  ASSIGN_OR_RETURN(const Image image, WriteImage(tree, version, sink));
  std::printf("%s\n", HexEncode(image.digest).c_str());
  return Ok();
}

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Status Time(const std::vector<const char*>& args) {
  ASSIGN_OR_RETURN(const FormatVersion version, Version(args[1]));
  ASSIGN_OR_RETURN(const std::string_view text, Map(args[2]));
  for (int run = 0; run < std::atoi(args[3]); ++run) {
    const Clock::time_point begin = Clock::now();
    ASSIGN_OR_RETURN(const Tree tree, ReadDump(text));
    const Clock::time_point half = Clock::now();
    const double of_tree = MillisecondsSince(begin);
    NoSink sink;
    TRY(WriteImage(tree, version, sink).status());
    std::printf("%.2f %.2f\n", of_tree, MillisecondsSince(half));
  }
  return Ok();
}

int Main(const std::vector<const char*>& args) {
  const bool time = args.size() == 4 && std::string_view(args[0]) == "time";
  if (!time && args.size() != 2 && args.size() != 3) {
    std::fprintf(stderr, "usage: composefs_image v0|v1 DUMP [IMAGE] | time v0|v1 DUMP RUNS\n");
    return ExitCode(Errc::kInvalid);
  }
  const Status status = time ? Time(args) : Make(args);
  if (status.ok()) return 0;
  std::fprintf(stderr, "composefs_image: %s\n", status.error().message().c_str());
  return ExitCode(status.error().code());
}

}  // namespace
}  // namespace hostapp::composefs

int main(int argc, char** argv) { return hostapp::composefs::Main({argv + 1, argv + argc}); }

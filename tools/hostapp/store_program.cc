// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/store_program.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

constexpr const char* kName = "hostapp-store";

}  // namespace

Result<std::string> FindStoreProgram() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Error(Errc::kIo, StrCat("finding ", kName, " by /proc/self/exe: ", error.message()));
  if (self.filename() == kName) return self.string();
  return (self.parent_path().parent_path() / "libexec" / "hostapp" / kName).string();
}

Error BecomeStoreProgram(const std::vector<std::string>& arguments) {
  const Result<std::string> path = FindStoreProgram();
  if (!path.ok()) return path.error();
  std::string program = *path;
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  const int reason = errno;
  // Not kNotFound, by which scripts know that a deployment or an image is not there.
  return Error(Errc::kIo, StrCat("starting ", Escape(program), ", which this verb needs: ",
                                 std::generic_category().message(reason), "; is hostapp installed as a whole?"));
}

}  // namespace hostapp::cli

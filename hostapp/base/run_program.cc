// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "hostapp/base/strings.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {
namespace {

constexpr size_t kKeptOutput = 4096;
constexpr int kPollMilliseconds = 100;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return SysError(errno, "making a pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// posix_spawn's two option objects, set up for a session of its own with default signals.
class SpawnOptions {
 public:
  explicit SpawnOptions(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
  }
  ~SpawnOptions() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string_view NameOf(std::string_view variable) { return variable.substr(0, variable.find('=')); }

// Our own variables but those that `changes` has, and these.
std::vector<std::string> Environment(const std::vector<std::string>& changes) {
  std::vector<std::string> all = changes;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool changed = std::any_of(changes.begin(), changes.end(),
                                     [&](const std::string& change) { return NameOf(change) == NameOf(text); });
    if (!changed) all.emplace_back(text);
  }
  return all;
}

Result<pid_t> Spawn(const std::vector<std::string>& argv, const std::vector<std::string>& changes, int output) {
  const std::vector<char*> pointers = Pointers(argv);
  const std::vector<std::string> environment = Environment(changes);
  const SpawnOptions options(output);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, pointers[0], options.actions(), options.attributes(), pointers.data(),
                                   Pointers(environment).data());
  if (error != 0) return SysError(error, StrCat("starting ", Escape(argv[0])));
  return pid;
}

void KeepTail(std::string& output, std::string_view more) {
  output += more;
  if (output.size() > kKeptOutput) output.erase(0, output.size() - kKeptOutput);
}

void ReadAvailable(int fd, std::string& output) {
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) return;
    KeepTail(output, std::string_view(buffer, static_cast<size_t>(got)));
  }
}

}  // namespace

std::string ProgramResult::Ending() const {
  if (end == End::kTimedOut) return "took too long";
  return StrCat(end == End::kExited ? "exit status " : "killed by signal ", code);
}

Result<std::string> FindProgram(const std::string& name, std::string_view package) {
  const char* path = std::getenv("PATH");
  const std::string folders = StrCat(path != nullptr ? path : "/usr/bin:/bin", ":/usr/local/sbin:/usr/sbin:/sbin");
  for (const std::string_view folder : Split(folders, ':')) {
    std::string program = StrCat(folder, "/", name);
    if (!folder.empty() && ::access(program.c_str(), X_OK) == 0) return program;
  }
  return Error(Errc::kNotFound, StrCat("the program ", name, " is not installed; it is in the package ", package));
}

Result<ProgramResult> RunProgram(const std::vector<std::string>& argv, std::chrono::seconds timeout, OpContext& ctx,
                                 const std::vector<std::string>& environment) {
  ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(argv, environment, pipe.write.get()));
  pipe.write.Reset(-1);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const auto deadline = ctx.clock.Monotonic() + timeout;
  ProgramResult result;
  bool killed = false;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (!killed && (ctx.cancel.cancelled() || ctx.clock.Monotonic() >= deadline)) {
      ::kill(-pid, SIGKILL);
      killed = true;
    }
    pollfd wait[2] = {{pipe.read.get(), POLLIN, 0}, {process.get(), POLLIN, 0}};
    ::poll(wait, 2, kPollMilliseconds);
    ReadAvailable(pipe.read.get(), result.output);
    // Closed by the program while it runs on: do not poll what is always ready.
    if ((wait[0].revents & POLLHUP) != 0) pipe.read.Reset(-1);
  }
  ReadAvailable(pipe.read.get(), result.output);
  ::kill(-pid, SIGKILL);  // what it left behind in its session
  if (ctx.cancel.cancelled()) return Error(Errc::kCancelled, "cancelled");
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  result.end = killed              ? ProgramResult::End::kTimedOut
               : WIFEXITED(status) ? ProgramResult::End::kExited
                                   : ProgramResult::End::kSignalled;
  return result;
}

}  // namespace hostapp

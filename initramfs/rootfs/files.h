// SPDX-License-Identifier: Apache-2.0
// Descriptors and folders for a program that allocates nothing.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hostapp::initramfs {

// Owns a descriptor; -1 owns nothing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Close(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int Release();
  void Close();

 private:
  int fd_ = -1;
};

// Of folders in a tree; deeper ones are refused rather than overflowing the stack.
constexpr int kMaxDepth = 128;

// Opens without following a link in the last component; O_CLOEXEC is added. errno says why where the result is not
// ok().
Fd OpenAt(int dir, const char* path, int flags);
Fd OpenDirectory(int dir, const char* path);

// For reading. EINVAL for what is no regular file; waits for no FIFO's writer.
Fd OpenRegular(int dir, const char* path);

// The bytes of a small file, as many as fit; false with errno if it cannot be read, or is none.
bool ReadFileAt(int dir, const char* path, std::span<char> buffer, std::string_view& content);

// Writes all of it, however many calls that takes; false with errno.
bool WriteAll(int fd, std::span<const char> bytes);
bool PwriteAll(int fd, std::span<const std::byte> bytes, off_t offset);
// How much of the buffer the file could fill; -1 with errno.
ssize_t PreadAll(int fd, std::span<std::byte> buffer, off_t offset);

// Makes a folder with exactly this mode, whatever the umask says; one that is there already stays as it is.
bool EnsureDirectory(int dir, const char* path, mode_t mode);

enum class EntryKind : uint8_t { kMissing, kDirectory, kSymlink, kFile, kOther };
EntryKind KindAt(int dir, const char* path);
bool ExistsAt(int dir, const char* path);

// The names in a folder, without `.` and `..`, in the order of the file system. The descriptor stays the caller's.
class DirectoryReader {
 public:
  explicit DirectoryReader(int fd) : fd_(fd) {}
  // False at the end, or with error() set.
  bool Next(const char*& name);
  int error() const { return error_; }

 private:
  int fd_;
  int error_ = 0;
  long filled_ = 0;
  long at_ = 0;
  alignas(8) std::array<char, 4096> buffer_;
};

// True for an empty folder; false for anything else, also for what cannot be read.
bool IsEmptyDirectory(int dir, const char* path);

// Removes a tree without leaving its file system and without following links; what is not there is removed already.
// `budget`: at most so many entries, counted down; false with EAGAIN when it is used up.
bool RemoveTreeAt(int dir, const char* name, uint32_t* budget = nullptr);

// Removes what is inside of a folder, staying on its file system.
bool RemoveContents(int dir_fd);

}  // namespace hostapp::initramfs

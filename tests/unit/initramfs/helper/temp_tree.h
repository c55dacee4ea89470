// SPDX-License-Identifier: Apache-2.0
// A folder of a test's own, with files made and read by path.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {

class TempTree {
 public:
  TempTree() {
    std::string pattern = testing::TempDir() + "/hostapp-XXXXXX";
    path_ = mkdtemp(pattern.data());
    root_ = OpenDirectory(AT_FDCWD, path_.c_str());
  }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;
  ~TempTree() { std::filesystem::remove_all(path_); }

  int fd() const { return root_.get(); }
  std::string Path(const std::string& name) const { return path_.string() + "/" + name; }
  Fd Open(const std::string& name) const { return OpenDirectory(fd(), name.c_str()); }

  void Folder(const std::string& name, mode_t mode = 0755) {
    std::filesystem::create_directories(Path(name));
    chmod(Path(name).c_str(), mode);
  }
  void File(const std::string& name, const std::string& content, mode_t mode = 0644) {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
    chmod(Path(name).c_str(), mode);
  }
  void Link(const std::string& name, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::filesystem::create_symlink(target, Path(name));
  }
  void Whiteout(const std::string& name) {
    ASSERT_EQ(mknod(Path(name).c_str(), S_IFCHR, makedev(0, 0)), 0) << "whiteouts need Linux 5.8 or root";
  }

  bool Exists(const std::string& name) const {
    return std::filesystem::symlink_status(Path(name)).type() != std::filesystem::file_type::not_found;
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // One line an entry, sorted: type, mode, name and content or target.
  std::string List(const std::string& name) const {
    std::vector<std::string> lines;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path(name)))
      lines.push_back(Line(name, entry));
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

 private:
  std::string Line(const std::string& below, const std::filesystem::directory_entry& entry) const {
    struct stat info = {};
    lstat(entry.path().c_str(), &info);
    const std::string name = entry.path().lexically_relative(Path(below)).string();
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", info.st_mode & 07777U);
    if (S_ISDIR(info.st_mode)) return name + " folder " + mode;
    if (S_ISLNK(info.st_mode)) return name + " -> " + std::filesystem::read_symlink(entry.path()).string();
    if (S_ISCHR(info.st_mode)) return name + " whiteout";
    return name + " file " + mode + " " + Read(entry.path().lexically_relative(path_).string());
  }

  std::filesystem::path path_;
  Fd root_;
};

}  // namespace hostapp::initramfs

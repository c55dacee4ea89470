// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/measure_deployments.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <unordered_map>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;  // whole records

// As much as fits, less only at the end.
Result<size_t> Fill(int file, MutableByteSpan buffer) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = ::read(file, buffer.data() + filled, buffer.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading the list of contents");
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return filled;
}

// One list: its records as they lie there, in the order of their ids. kCorrupt: not in order, or shorter than it was;
// what came before has been used.
Status ForEachRecord(const Sysroot& sysroot, DeploymentSerial serial,
                     const std::function<void(const ContentsRecord&)>& use) {
  const std::string path = StrCat(serial, "/", kContentsName);
  const UniqueFd file(::openat(sysroot.deployments(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return SysError(errno, StrCat("opening ", path));
  std::array<std::byte, kContentsMagic.size()> magic;
  ASSIGN_OR_RETURN(const size_t got, Fill(file.get(), magic));
  ASSIGN_OR_RETURN(
      ContentsReader reader,
      ContentsReader::Begin(ByteSpan(magic).first(got), static_cast<uint64_t>(info.st_size) - got).While(path));
  std::vector<std::byte> buffer(std::min<uint64_t>(kBufferBytes, reader.left()));
  while (reader.left() > 0) {
    const MutableByteSpan piece = MutableByteSpan(buffer).first(std::min<uint64_t>(buffer.size(), reader.left()));
    ASSIGN_OR_RETURN(const size_t filled, Fill(file.get(), piece));
    if (filled < piece.size()) return Error(Errc::kCorrupt, "the list of contents ends early");
    TRY(reader.Take(piece, use));
  }
  return Ok();
}

// Of root.cfs, which no other deployment shares. One that is missing is fsck's to tell.
uint64_t RootFileBytes(const Sysroot& sysroot, const Deployment& deployment) {
  const std::string path = StrCat(deployment.serial, "/", kRootFileName);
  struct stat info {};
  if (!deployment.composefs || ::fstatat(sysroot.deployments(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

std::vector<Result<DeploymentSize>> MeasureDeployments(const Sysroot& sysroot, std::span<const Deployment> deployments,
                                                       OpContext& ctx) {
  constexpr size_t kShared = SIZE_MAX;
  struct Owner {
    size_t deployment;  // or kShared
    uint64_t size;      // as its list has it
  };
  std::unordered_map<uint64_t, Owner> owners;  // of an object, by its id
  std::vector<DeploymentSize> sizes(deployments.size());
  std::vector<Status> failures(deployments.size());
  const auto measure = [&](size_t i) -> Status {
    TRY(ctx.cancel.Check());
    sizes[i].total = sizes[i].unique = RootFileBytes(sysroot, deployments[i]);
    return ForEachRecord(sysroot, deployments[i].serial, [&](const ContentsRecord& record) {
      sizes[i].total += record.size;
      const auto [found, is_new] = owners.emplace(record.id, Owner{i, record.size});
      Owner& owner = found->second;
      if (is_new) {
        sizes[i].unique += record.size;
      } else if (owner.deployment != kShared) {
        sizes[owner.deployment].unique -= owner.size;
        owner.deployment = kShared;
      }
    });
  };
  for (size_t i = 0; i < deployments.size(); ++i) failures[i] = measure(i);
  std::vector<Result<DeploymentSize>> out;
  for (size_t i = 0; i < deployments.size(); ++i) {
    if (failures[i].ok()) {
      out.emplace_back(sizes[i]);
    } else {
      out.push_back(std::move(failures[i]).While("measuring deployment ", deployments[i].serial).error());
    }
  }
  return out;
}

}  // namespace hostapp

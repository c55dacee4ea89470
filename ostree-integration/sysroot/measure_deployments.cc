// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/measure_deployments.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr size_t kBufferBytes = size_t{32} << 10;

struct Record {
  uint64_t id = 0;
  uint64_t size = 0;
};

// One list, record by record.
class Reader {
 public:
  static Result<Reader> Open(const Sysroot& sysroot, DeploymentSerial serial) {
    const std::string path = StrCat(serial, "/", kContentsName);
    Reader reader;
    reader.file_.Reset(::openat(sysroot.deployments(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!reader.file_.valid() || ::fstat(reader.file_.get(), &info) != 0) {
      return SysError(errno, StrCat("opening ", path));
    }
    reader.buffer_.resize(kBufferBytes);
    TRY(reader.Fill());
    const ByteSpan head = ByteSpan(reader.buffer_).first(std::min(reader.filled_, kContentsMagic.size()));
    const auto size = static_cast<uint64_t>(info.st_size);
    if (AsText(head) != kContentsMagic || (size - kContentsMagic.size()) % kContentsRecordBytes != 0) {
      return Error(Errc::kCorrupt, StrCat(path, ": no list of contents"));
    }
    reader.at_ = kContentsMagic.size();
    TRY(reader.Next());
    return reader;
  }

  bool has() const { return has_; }
  const Record& record() const { return record_; }

  // kCorrupt: not in order.
  Status Next() {
    const uint64_t last = record_.id;
    const bool first = !has_ && !begun_;
    begun_ = true;
    if (filled_ - at_ < kContentsRecordBytes) TRY(Fill());
    has_ = filled_ - at_ >= kContentsRecordBytes;
    if (!has_) return Ok();
    record_ = {.id = ReadContentsNumber(&buffer_[at_]), .size = ReadContentsNumber(&buffer_[at_ + 8])};
    at_ += kContentsRecordBytes;
    if (!first && record_.id <= last) return Error(Errc::kCorrupt, "the list of contents is not in order");
    return Ok();
  }

 private:
  // Moves what is left to the front, and reads on behind it.
  Status Fill() {
    std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
    filled_ -= at_;
    at_ = 0;
    while (filled_ < buffer_.size()) {
      const ssize_t got = ::read(file_.get(), buffer_.data() + filled_, buffer_.size() - filled_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SysError(errno, "reading the list of contents");
      if (got == 0) break;
      filled_ += static_cast<size_t>(got);
    }
    return Ok();
  }

  UniqueFd file_;
  std::vector<std::byte> buffer_;
  size_t at_ = 0, filled_ = 0;
  Record record_;
  bool has_ = false, begun_ = false;
};

// What one list has come to.
struct Sum {
  std::optional<Reader> reader;
  Result<DeploymentSize> size = DeploymentSize{};

  bool has() const { return reader && reader->has(); }
  void Fail(Error error) {
    reader.reset();
    size = std::move(error);
  }
};

// Takes the smallest id of all from each list that has it.
void TakeSmallest(std::vector<Sum>& sums, uint64_t smallest) {
  Sum* only = nullptr;
  size_t count = 0;
  uint64_t bytes = 0;
  for (Sum& sum : sums) {
    if (!sum.has() || sum.reader->record().id != smallest) continue;
    only = &sum;
    ++count;
    bytes = sum.reader->record().size;
    sum.size->total += bytes;
  }
  if (count == 1) only->size->unique += bytes;
  for (Sum& sum : sums) {
    if (!sum.has() || sum.reader->record().id != smallest) continue;
    if (Status next = sum.reader->Next(); !next.ok()) sum.Fail(next.error());
  }
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

uint64_t ReadContentsNumber(const std::byte* at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | std::to_integer<uint64_t>(at[i]);
  return value;
}

std::vector<Result<DeploymentSize>> MeasureDeployments(const Sysroot& sysroot, std::span<const Deployment> deployments,
                                                       OpContext& ctx) {
  std::vector<Sum> sums(deployments.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    Result<Reader> reader = Reader::Open(sysroot, deployments[i].serial);
    if (reader.ok()) {
      sums[i].reader = *std::move(reader);
      const uint64_t root_file = RootFileBytes(sysroot, deployments[i]);
      sums[i].size = DeploymentSize{.total = root_file, .unique = root_file};
    } else {
      sums[i].Fail(reader.error());
    }
  }
  while (ctx.cancel.Check().ok()) {
    std::optional<uint64_t> smallest;
    for (const Sum& sum : sums) {
      if (sum.has() && (!smallest || sum.reader->record().id < *smallest)) smallest = sum.reader->record().id;
    }
    if (!smallest) break;
    TakeSmallest(sums, *smallest);
  }
  std::vector<Result<DeploymentSize>> sizes;
  for (size_t i = 0; i < sums.size(); ++i) {
    sizes.push_back(std::move(sums[i].size).While("measuring deployment ", deployments[i].serial));
  }
  return sizes;
}

}  // namespace hostapp

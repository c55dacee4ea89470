// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/contents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/root_file.h"

namespace hostapp {
namespace {

constexpr const char* kName = "contents";
constexpr std::string_view kMagic = "HSTCONT1";
constexpr size_t kRecordBytes = 16;
constexpr size_t kBufferBytes = size_t{32} << 10;

uint64_t ReadBigEndian(const std::byte* at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | std::to_integer<uint64_t>(at[i]);
  return value;
}

void AppendBigEndian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::string TextOf(std::span<const ObjectSize> objects) {
  std::string text(kMagic);
  text.reserve(text.size() + objects.size() * kRecordBytes);
  for (const ObjectSize& object : objects) {
    AppendBigEndian(ReadBigEndian(object.object.data()), text);
    AppendBigEndian(object.size, text);
  }
  return text;
}

struct Record {
  uint64_t id = 0;
  uint64_t size = 0;
};

// One list, record by record.
class Reader {
 public:
  static Result<Reader> Open(const Sysroot& sysroot, DeploymentSerial serial) {
    const std::string path = StrCat(serial, "/", kName);
    Reader reader;
    reader.file_.Reset(::openat(sysroot.deployments(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!reader.file_.valid() || ::fstat(reader.file_.get(), &info) != 0) {
      return SysError(errno, StrCat("opening ", path));
    }
    reader.buffer_.resize(kBufferBytes);
    TRY(reader.Fill());
    const ByteSpan head = ByteSpan(reader.buffer_).first(std::min(reader.filled_, kMagic.size()));
    const auto size = static_cast<uint64_t>(info.st_size);
    if (AsText(head) != kMagic || (size - kMagic.size()) % kRecordBytes != 0) {
      return Error(Errc::kCorrupt, StrCat(path, ": no list of contents"));
    }
    reader.at_ = kMagic.size();
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
    if (filled_ - at_ < kRecordBytes) TRY(Fill());
    has_ = filled_ - at_ >= kRecordBytes;
    if (!has_) return Ok();
    record_ = {.id = ReadBigEndian(&buffer_[at_]), .size = ReadBigEndian(&buffer_[at_ + 8])};
    at_ += kRecordBytes;
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

Status WriteContents(int deployment_dir, std::span<const ObjectSize> objects, OpContext& ctx) {
  const UniqueFd file(ctx.sys.OpenAt(deployment_dir, kName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!file.valid()) return SysError(-file.get(), "creating the list of contents");
  return FileSink(file.get(), ctx.sys).Write(AsBytes(TextOf(objects))).While("writing the list of contents");
}

Result<std::optional<TreeProblem>> CheckContents(const Sysroot& sysroot, const ImageStore& store,
                                                 const Deployment& deployment, TreeRepair repair, OpContext& ctx) {
  const Result<ImageTree> tree = ImageTree::Load(store, deployment.manifest_digest, ctx);
  if (!tree.ok()) return std::optional<TreeProblem>();
  const std::string expected = TextOf(tree->Objects());
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, deployment.serial, ctx));
  const Result<std::string> found = ReadFile(dir.get(), kName, expected.size());
  if (found.ok() && *found == expected) return std::optional<TreeProblem>();
  TreeProblem problem{.path = kName, .what = "it is not the list of what the tree needs"};
  if (repair == TreeRepair::kYes) {
    TRY(ReplaceFile(dir.get(), kName, AsBytes(expected), 0644, ctx.sys));
    problem.repaired = true;
  }
  return std::optional(std::move(problem));
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

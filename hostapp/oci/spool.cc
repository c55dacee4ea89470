// SPDX-License-Identifier: Apache-2.0
// Fetching a blob so that nothing reads it before it is known to be the one that was asked for.
//
// The part file is the only state: what it holds is hashed again at the next run, so a torn write, a bit flip or
// another program's bytes cost a download and nothing else. It is never synced: after a crash the hash decides what it
// is worth.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/blob.h"

namespace hostapp {
namespace {

constexpr size_t kSpoolChunk = size_t{256} << 10;

Error TooLong(const Descriptor& blob) {
  return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got more"));
}

Status CheckComplete(const Descriptor& blob, uint64_t got, const HashValue& hash) {
  if (got != blob.size) return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got ", got));
  if (hash != blob.digest.value()) {
    return Error(Errc::kCorrupt, StrCat("the bytes have the digest ", Digest(hash).ToString()));
  }
  return Ok();
}

class TextSink : public ByteSink {
 public:
  explicit TextSink(const Descriptor& blob) : blob_(blob) {}
  Status Write(ByteSpan bytes) override {
    if (bytes.size() > blob_.size - text_.size()) return TooLong(blob_);
    text_.append(AsText(bytes));
    return Ok();
  }
  std::string Take() { return std::move(text_); }

 private:
  const Descriptor& blob_;
  std::string text_;
};

// One blob's part file: its hash and length so far.
class Part : public ByteSink {
 public:
  Part(int file, const Descriptor& blob, OpContext& ctx)
      : file_(file), blob_(blob), ctx_(ctx), name_(blob.digest.ToString()), hasher_(blob.digest.algorithm()) {}

  // Takes in what an interrupted run left.
  Status Rehash() {
    struct stat info {};
    if (::fstat(file_, &info) != 0) return SysError(errno, "looking at the spool file");
    if (static_cast<uint64_t>(info.st_size) > blob_.size) return Restart();
    std::vector<std::byte> buffer(kSpoolChunk);
    while (size_ < static_cast<uint64_t>(info.st_size)) {
      TRY(ctx_.cancel.Check());
      const ssize_t got = ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(size_));
      if (got < 0 && errno == EINTR) continue;
      // A part that cannot be read is worth nothing; the disk may still take a new one.
      if (got < 0) return Restart();
      if (got == 0) break;
      Count(ByteSpan(buffer).first(static_cast<size_t>(got)));
    }
    return Ok();
  }

  Status Restart() {
    const int result = ctx_.sys.Truncate(file_, 0);
    if (result < 0) return SysError(-result, "emptying the spool file");
    (void)hasher_.Finish();
    size_ = 0;
    wrong_ = false;
    return Ok();
  }

  Status Write(ByteSpan bytes) override {
    TRY(ctx_.cancel.Check());
    if (bytes.size() > blob_.size - size_) {
      wrong_ = true;
      return TooLong(blob_);
    }
    uint64_t offset = size_;
    for (ByteSpan rest = bytes; !rest.empty();) {
      const ssize_t put = ctx_.sys.PwriteAt(file_, rest.data(), rest.size(), static_cast<off_t>(offset));
      if (put < 0) return SysError(static_cast<int>(-put), "writing the spool file");
      offset += static_cast<uint64_t>(put);
      rest = rest.subspan(static_cast<size_t>(put));
    }
    Count(bytes);
    downloaded_ += bytes.size();
    return Ok();
  }

  Status Check() {
    Status status = CheckComplete(blob_, size_, hasher_.Finish());
    wrong_ = !status.ok();
    return status;
  }
  // What is there is not the blob. That the source only says so (kCorrupt: an answer against the rules) is no sign of
  // it.
  bool wrong() const { return wrong_; }
  uint64_t size() const { return size_; }
  uint64_t downloaded() const { return downloaded_; }

 private:
  void Count(ByteSpan bytes) {
    hasher_.Update(bytes);
    size_ += bytes.size();
    ctx_.progress.Report({.stage = "fetch", .item = name_, .done = size_, .total = blob_.size});
  }

  int file_;
  const Descriptor& blob_;
  OpContext& ctx_;
  std::string name_;
  Hasher hasher_;
  uint64_t size_ = 0;
  uint64_t downloaded_ = 0;
  bool wrong_ = false;
};

Result<UniqueFd> OpenPart(int dir, const std::string& name, OpContext& ctx) {
  UniqueFd file(ctx.sys.OpenAt(dir, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file.valid()) return SysError(-file.get(), StrCat("opening the spool file ", name));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return SysError(errno, StrCat("looking at the spool file ", name));
  if (!S_ISREG(info.st_mode)) return Error(Errc::kCorrupt, StrCat("spool file ", name, ": no regular file"));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return Error(Errc::kBusy, StrCat(name, " is being fetched already"));
    return SysError(errno, StrCat("locking the spool file ", name));
  }
  return file;
}

// Fetches the rest, checks.
Status Complete(Part& part, const Descriptor& blob, BlobSource& source, OpContext& ctx) {
  if (part.size() < blob.size) TRY(source.Fetch(blob, part.size(), part, ctx));
  return part.Check();
}

Status TryOnceMore(Part& part, const Status& failed, const Descriptor& blob, BlobSource& source, OpContext& ctx) {
  ctx.log.Info(StrCat(blob.digest.Short(), ": ", failed.error().message(), "; ",
                      part.wrong() ? "fetching it again from its start" : "trying once more"));
  if (part.wrong()) TRY(part.Restart());
  return Complete(part, blob, source, ctx);
}

}  // namespace

Result<std::string> FetchSmallBlob(const Descriptor& blob, uint64_t max_bytes, BlobSource& source, OpContext& ctx) {
  const auto once = [&]() -> Result<std::string> {
    if (blob.size > max_bytes) {
      return Error(Errc::kCorrupt, StrCat(blob.size, " bytes, more than the ", max_bytes, " allowed"));
    }
    TRY(ctx.cancel.Check());
    TextSink sink(blob);
    TRY(source.Fetch(blob, 0, sink, ctx));
    std::string text = sink.Take();
    TRY(CheckComplete(blob, text.size(), HashOf(AsBytes(text), blob.digest.algorithm())));
    return text;
  };
  Result<std::string> text = once();
  if (!text.ok() && text.error().code() == Errc::kCorrupt && blob.size <= max_bytes) text = once();
  return std::move(text).While(blob.digest.ToString());
}

std::string SpoolName(const Digest& blob) {
  return StrCat(blob.algorithm() == HashAlgorithm::kSha256 ? "sha256-" : "sha512-", blob.Hex(), ".part");
}

Result<SpooledBlob> SpoolBlob(int spool_dir, const Descriptor& blob, BlobSource& source, OpContext& ctx) {
  const std::string name = SpoolName(blob.digest);
  ASSIGN_OR_RETURN(UniqueFd file, OpenPart(spool_dir, name, ctx));
  Part part(file.get(), blob, ctx);
  Status status = part.Rehash();
  if (status.ok()) status = Complete(part, blob, source, ctx);
  if (!status.ok() && status.error().code() == Errc::kCorrupt) status = TryOnceMore(part, status, blob, source, ctx);
  if (status.ok()) return SpooledBlob{std::move(file), name, part.downloaded()};
  // Wrong bytes are of no use to the next run, and a full disk has none to spare. What an interruption left, is.
  if (part.wrong() || status.error().code() == Errc::kNoSpace) (void)RemoveFile(spool_dir, name, ctx.sys);
  return std::move(status).While(blob.digest.ToString()).error();
}

}  // namespace hostapp

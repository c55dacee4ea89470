// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/verify_object.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <span>

#include "hostapp/base/enable_verity.h"
#include "ostree-integration/composefs/tree.h"

namespace hostapp {
namespace {

constexpr size_t kVerifyBuffer = size_t{256} << 10;  // the kernel's limit for attributes is a quarter of it

}  // namespace

ObjectVerifier::ObjectVerifier(const ImageStore& store) : store_(store), buffer_(kVerifyBuffer) {}

Status ObjectVerifier::HashContent(int file, uint64_t& bytes) {
  while (true) {
    const ssize_t got = ::read(file, buffer_.data(), buffer_.size());
    if (got < 0) return SysError(errno, "reading it");
    if (got == 0) return Ok();
    hasher_.Update(std::as_bytes(std::span(buffer_)).first(static_cast<size_t>(got)));
    bytes += static_cast<uint64_t>(got);
  }
}

// Of what `path` names, a link not followed.
Result<Xattrs> ObjectVerifier::ReadXattrs(const std::string& path) {
  const ssize_t length = ::llistxattr(path.c_str(), buffer_.data(), buffer_.size());
  if (length == 0 || (length < 0 && errno == ENOTSUP)) return Xattrs{};
  if (length < 0) return SysError(errno, "listing its extended attributes");
  const std::string names(buffer_.data(), static_cast<size_t>(length));
  Xattrs out;
  for (const std::string_view name : Split(names, '\0')) {
    if (name.empty()) continue;
    const ssize_t size = ::lgetxattr(path.c_str(), std::string(name).c_str(), buffer_.data(), buffer_.size());
    if (size < 0) return SysError(errno, StrCat("reading its extended attribute ", Escape(name)));
    out.emplace(name, std::string(buffer_.data(), static_cast<size_t>(size)));
  }
  return out;
}

Result<Sha256> ObjectVerifier::HashFileObject(const std::string& path, uint64_t& bytes) {
  const int objects = store_.impl().objects.get();
  struct stat info {};
  if (::fstatat(objects, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, "looking at it");
  Inode inode;
  inode.uid = info.st_uid;
  inode.gid = info.st_gid;
  inode.mode = info.st_mode & 07777;
  ASSIGN_OR_RETURN(inode.xattrs, ReadXattrs(StrCat("/proc/self/fd/", objects, '/', path)));
  if (S_ISLNK(info.st_mode)) {
    const ssize_t length = ::readlinkat(objects, path.c_str(), buffer_.data(), buffer_.size());
    if (length < 0) return SysError(errno, "reading it");
    inode.type = Inode::Type::kSymlink;
    inode.link_target.assign(buffer_.data(), static_cast<size_t>(length));
    if (!IsValidUtf8(inode.link_target)) return Error(Errc::kCorrupt, "its link target is not UTF-8");
    return SymlinkObjectId(inode);
  }
  if (!S_ISREG(info.st_mode)) return Error(Errc::kCorrupt, "it is no file and no link");
  const UniqueFd file(::openat(objects, path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return SysError(errno, "opening it");
  hasher_ = Hasher();
  HashObjectHeader(inode, hasher_);
  TRY(HashContent(file.get(), bytes));
  if (store_.has_verity() && bytes > composefs::kSmallContentBytes && !HasVerity(file.get())) {
    return Error(Errc::kCorrupt, "it has no fs-verity, and no deployment can read it");
  }
  return ToSha256(hasher_.Finish());
}

Result<Sha256> ObjectVerifier::HashMetadata(const std::string& path, uint64_t& bytes) {
  const UniqueFd file(
      ::openat(store_.impl().objects.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return SysError(errno, "opening it");
  hasher_ = Hasher();
  TRY(HashContent(file.get(), bytes));
  return ToSha256(hasher_.Finish());
}

ObjectState ObjectVerifier::Verify(const Sha256& id, std::string_view extension) {
  ObjectState state;
  const std::string path = ObjectPath(id, extension);
  const Result<Sha256> got = extension == "file" ? HashFileObject(path, state.bytes) : HashMetadata(path, state.bytes);
  if (got.ok() && *got == id) return state;
  if (!got.ok() && got.error().code() == Errc::kNotFound) {
    state.problem = StoreProblem::Kind::kMissingObject;
    state.why = "it is missing";
    return state;
  }
  state.problem = StoreProblem::Kind::kDamagedObject;
  state.why = got.ok() ? StrCat("its checksum is ", Hex(*got)) : got.error().message();
  return state;
}

}  // namespace hostapp

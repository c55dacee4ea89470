// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/refs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "hostapp/base/durable.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxRefBytes = 4096;

std::string_view WithoutHeads(std::string_view path) {
  constexpr std::string_view kHeads = "heads/";
  return path.starts_with(kHeads) ? path.substr(kHeads.size()) : path;
}

bool IsNameOfOurs(std::string_view ref) {
  for (const std::string_view prefix : {kLayerRefPrefix, kImageRefPrefix}) {
    if (ref.starts_with(prefix) && DigestOfRef(ref, prefix).ok()) return true;
  }
  return false;
}

// `path` is below the folder `refs`.
Status Scan(int refs, const std::string& path, RefScan& out) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(refs, path));
  for (const std::string& name : names) {
    const std::string child = path == "." ? name : StrCat(path, '/', name);
    struct stat info {};
    if (::fstatat(refs, child.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return SysError(errno, StrCat("looking at the ref ", Escape(child)));
    }
    if (S_ISDIR(info.st_mode) && !IsNameOfOurs(WithoutHeads(child))) {
      TRY(Scan(refs, child, out));
    } else if (S_ISREG(info.st_mode) && IsUnfinished(name)) {
      out.leftovers.push_back(child);
    } else if (!S_ISLNK(info.st_mode)) {  // `ostree refs --alias` makes links
      const Result<std::string> text = ReadFile(refs, child, kMaxRefBytes);
      const std::string ref(WithoutHeads(child));
      if (text.ok() && ParseSha256(Trim(*text))) {
        out.refs.emplace(ref, Trim(*text));
      } else {
        out.damaged.push_back(ref);
      }
    }
  }
  return Ok();
}

}  // namespace

bool IsUnfinished(std::string_view name) { return name.size() == 10 && name.starts_with("tmp."); }

Result<RefScan> ScanRefs(const ImageStore& store) {
  RefScan out;
  ASSIGN_OR_RETURN(const UniqueFd refs, OpenDir(ostree_repo_get_dfd(store.impl().repo.get()), "refs", RealSyscalls()));
  TRY(Scan(refs.get(), ".", out).While("reading the store's refs"));
  return out;
}

Status RemoveRef(const ImageStore& store, std::string_view ref, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd heads, OpenDir(ostree_repo_get_dfd(store.impl().repo.get()), "refs/heads", ctx.sys));
  return RemoveTree(heads.get(), ref, ctx.sys).While("removing the ref ", Escape(ref));
}

Result<std::optional<std::string>> ResolveRef(const ImageStore& store, const std::string& ref) {
  const int repo = ostree_repo_get_dfd(store.impl().repo.get());
  const std::string path = StrCat("refs/heads/", ref);
  if (!Exists(repo, path)) return std::optional<std::string>();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(repo, path, kMaxRefBytes).While("reading the ref ", ref));
  if (!ParseSha256(Trim(text))) return Error(Errc::kCorrupt, StrCat("the ref ", ref, " is damaged: no checksum in it"));
  return std::optional<std::string>(Trim(text));
}

Result<std::optional<std::string>> ResolveIntactRef(const ImageStore& store, const std::string& ref) {
  Result<std::optional<std::string>> commit = ResolveRef(store, ref);
  if (!commit.ok() && commit.error().code() == Errc::kCorrupt) return std::optional<std::string>();
  return commit;
}

Result<std::map<std::string, std::string>> ListRefs(const ImageStore& store, std::string_view prefix) {
  ASSIGN_OR_RETURN(const RefScan scan, ScanRefs(store));
  for (const std::string& ref : scan.damaged) {
    if (ref.starts_with(prefix)) {
      return Error(Errc::kCorrupt, StrCat("the ref ", Escape(ref), " is damaged; a repair mends it"));
    }
  }
  std::map<std::string, std::string> refs;
  for (const auto& [name, commit] : scan.refs) {
    if (name.starts_with(prefix)) refs.emplace(name, commit);
  }
  return refs;
}

}  // namespace hostapp

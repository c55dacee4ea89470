// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/layer_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "hostapp/base/hash.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/member_path.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

// Images whose /var is the device's keep the database with the release.
constexpr std::array<std::string_view, 2> kDpkgInfos = {"var/lib/dpkg/info/", "usr/lib/sysimage/dpkg/info/"};
constexpr uint64_t kMaxListBytes = uint64_t{16} << 20;
constexpr std::string_view kKernel = "kernel", kRest = "rest";

Result<std::string> ReadContent(const RootfsTree& tree, const RootfsInode& inode) {
  if (inode.entry.size > kMaxListBytes) return Error(Errc::kCorrupt, "a package's file list of over 16 MiB");
  ASSIGN_OR_RETURN(const auto source, tree.content->Open(inode));
  std::string text(inode.entry.size, '\0');
  size_t at = 0;
  while (at < text.size()) {
    ASSIGN_OR_RETURN(const size_t got,
                     source->Read(std::as_writable_bytes(std::span(text.data() + at, text.size() - at))));
    if (got == 0) return Error(Errc::kIo, "a file became shorter while it was read");
    at += got;
  }
  return text;
}

// Where `listed` ("/bin/ls") really is: folders at the top may be links ("bin" → "usr/bin").
std::string ThroughTopLinks(const RootfsTree& tree, std::string_view listed) {
  while (listed.starts_with('/')) listed.remove_prefix(1);
  const size_t slash = listed.find('/');
  if (slash == std::string_view::npos) return std::string(listed);
  const auto top = tree.paths.find(listed.substr(0, slash));
  if (top == tree.paths.end() || top->second->entry.type != Type::kSymlink) return std::string(listed);
  std::string_view target = top->second->entry.link_target;
  while (target.starts_with('/')) target.remove_prefix(1);
  return StrCat(target, listed.substr(slash));
}

using Owners = std::unordered_map<std::string, std::string>;  // path → package

// Packages with their architecture cut off, so that a file's group is the same on all of them.
Status AddDpkgOwners(const RootfsTree& tree, std::string_view info, Owners& owners) {
  for (auto at = tree.paths.lower_bound(info); at != tree.paths.end() && at->first.starts_with(info); ++at) {
    const std::string_view name = std::string_view(at->first).substr(info.size());
    if (at->second->entry.type != Type::kFile) continue;
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) continue;
    const std::string package(name.substr(0, std::min(dot, name.find(':'))));
    // What dpkg keeps about a package changes with it.
    owners.emplace(at->first, package);
    if (name.substr(dot) != ".list") continue;
    ASSIGN_OR_RETURN(const std::string text, ReadContent(tree, *at->second).While(Escape(at->first)));
    for (const std::string_view line : Split(text, '\n')) {
      if (!line.empty()) owners.emplace(ThroughTopLinks(tree, line), package);
    }
  }
  return Ok();
}

Result<Owners> ReadDpkgOwners(const RootfsTree& tree) {
  Owners owners;
  for (const std::string_view info : kDpkgInfos) TRY(AddDpkgOwners(tree, info, owners));
  return owners;
}

bool IsKernelPath(std::string_view path) {
  for (const std::string_view folder : {"usr/lib/modules/", "lib/modules/", "boot/"}) {
    if (path.starts_with(folder)) return true;
  }
  return false;
}

// "usr/share/doc/x/y" → "usr/share/doc".
std::string FolderGroup(std::string_view path) {
  size_t end = 0;
  for (int depth = 0; depth < 3; ++depth) {
    const size_t slash = path.find('/', end);
    if (slash == std::string_view::npos) break;
    end = slash + 1;
  }
  return std::string(path.substr(0, end));
}

// The layer's key: sorts as the layers are stacked.
struct Bucket {
  int order = 0;
  std::string comment;
};

class Assignment {
 public:
  Assignment(const Owners& owners, int layers) : owners_(owners), layers_(layers) {}

  Bucket Of(const std::string& path) const {
    if (layers_ == 1) return {0, "everything"};
    const auto owner = owners_.find(path);
    if (layers_ >= 3 && IsKernelPath(path)) return {0, std::string(kKernel)};
    if (!owners_.empty() && owner == owners_.end()) return Rest();
    const std::string group = owners_.empty() ? FolderGroup(path) : owner->second;
    // What changes with every release anyhow.
    if (owners_.empty() && (path.starts_with("etc/") || path.starts_with("var/") || group.empty())) return Rest();
    const auto buckets = static_cast<uint32_t>(layers_ == 2 ? 1 : layers_ - 2);
    const HashValue hash = HashOf(AsBytes(group));
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(hash.bytes[static_cast<size_t>(i)]);
    const int bucket = static_cast<int>(value % buckets);
    return {1 + bucket, StrCat("packages ", bucket + 1)};
  }
  Bucket Rest() const { return {layers_ == 1 ? 0 : kMaxPackLayers, layers_ == 1 ? "everything" : std::string(kRest)}; }

 private:
  const Owners& owners_;
  int layers_;
};

void AddParents(const RootfsTree& tree, PlannedLayer& layer) {
  std::set<std::string> parents;
  for (const PlannedMember& member : layer.members) {
    std::string path = member.path;
    while (!path.empty()) {
      path = ParentOf(path);
      if (!parents.insert(path).second) break;
    }
  }
  for (const std::string& path : parents) {
    layer.members.push_back({.path = path, .inode = tree.paths.at(path), .hardlink_to = {}, .only_parent = true});
  }
}

}  // namespace

Result<std::vector<PlannedLayer>> PlanLayers(const RootfsTree& tree, int layers) {
  if (layers < 1 || layers > kMaxPackLayers) {
    return Error(Errc::kInvalid, StrCat(layers, " layers: must be 1..", kMaxPackLayers));
  }
  Owners owners;
  if (layers > 1) {
    ASSIGN_OR_RETURN(owners, ReadDpkgOwners(tree));
  }
  const Assignment assignment(owners, layers);
  std::map<int, PlannedLayer> by_order;
  // All names of an inode go where its first one goes.
  std::map<const RootfsInode*, std::pair<int, std::string>> first_names;
  const Bucket rest = assignment.Rest();
  by_order[rest.order].comment = rest.comment;
  for (const auto& [path, inode] : tree.paths) {
    if (inode->entry.type == Type::kDirectory) {
      by_order[rest.order].members.push_back({.path = path, .inode = inode, .hardlink_to = {}});
      continue;
    }
    const auto known = first_names.find(inode.get());
    if (known != first_names.end()) {
      by_order[known->second.first].members.push_back(
          {.path = path, .inode = inode, .hardlink_to = known->second.second});
      continue;
    }
    const Bucket bucket = assignment.Of(path);
    first_names.emplace(inode.get(), std::pair(bucket.order, path));
    PlannedLayer& layer = by_order[bucket.order];
    layer.comment = bucket.comment;
    layer.members.push_back({.path = path, .inode = inode, .hardlink_to = {}});
  }
  std::vector<PlannedLayer> out;
  for (auto& [order, layer] : by_order) {
    if (order != rest.order) AddParents(tree, layer);
    std::sort(layer.members.begin(), layer.members.end(),
              [](const PlannedMember& a, const PlannedMember& b) { return a.path < b.path; });
    out.push_back(std::move(layer));
  }
  return out;
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/base_image.h"

#include <algorithm>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/private_folder.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/compression.h"
#include "hostapp/layer/fd_source.h"
#include "hostapp/layer/layer_rules.h"
#include "hostapp/layer/member_path.h"
#include "hostapp/oci/image_config.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;
using Paths = std::map<std::string, BaseMember, std::less<>>;

constexpr size_t kBaseImageChunk = size_t{256} << 10;

// Hashes what the tar reader takes from the layer.
class HashingSource : public ByteSource {
 public:
  explicit HashingSource(ByteSource& source) : source_(source) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer));
    hasher_.Update(buffer.first(got));
    return got;
  }
  HashValue Finish() { return hasher_.Finish(); }

 private:
  ByteSource& source_;
  Hasher hasher_;
};

Result<HashValue> HashContent(ByteSource& source) {
  Hasher hasher;
  std::vector<std::byte> buffer(kBaseImageChunk);
  for (;;) {
    ASSIGN_OR_RETURN(const size_t got, source.Read(buffer));
    if (got == 0) return hasher.Finish();
    hasher.Update(ByteSpan(buffer).first(got));
  }
}

void EraseBelow(Paths& paths, const std::string& folder) {
  const std::string prefix = folder.empty() ? "" : folder + "/";
  auto at = paths.lower_bound(prefix);
  while (at != paths.end() && at->first.starts_with(prefix)) {
    at = at->first.empty() ? std::next(at) : paths.erase(at);
  }
}

// One layer on top of what is below it.
class Merger {
 public:
  explicit Merger(Paths& paths) : paths_(paths) {}

  Status Layer(TarReader& reader) {
    Paths added;
    for (;;) {
      ASSIGN_OR_RETURN(std::optional<TarEntry> entry, reader.Next());
      if (!entry) break;
      TRY(Member(*std::move(entry), reader, added));
    }
    for (auto& [path, member] : added) {
      if (member.entry.type != Type::kDirectory) {
        EraseBelow(paths_, path);
      }
      paths_.insert_or_assign(path, std::move(member));
    }
    return Ok();
  }

 private:
  Status Member(TarEntry entry, TarReader& reader, Paths& added) {
    ASSIGN_OR_RETURN(const Whiteout whiteout, ClassifyWhiteout(entry));
    // Whiteouts hide what lower layers have, wherever in the layer they stand: `added` is apart until its end.
    if (whiteout.kind != Whiteout::Kind::kNone) {
      EraseBelow(paths_, whiteout.path);
      if (whiteout.kind == Whiteout::Kind::kHide) paths_.erase(whiteout.path);
      return Ok();
    }
    if (ReasonToDrop(entry)) return Ok();
    const std::string path = std::exchange(entry.path, {});
    if (entry.type == Type::kHardlink) return Hardlink(path, entry.link_target, added);
    entry.path = path;
    ASSIGN_OR_RETURN(FilteredXattrs xattrs, FilterXattrs(entry));
    entry.path.clear();
    entry.xattrs = std::move(xattrs.kept);
    entry.unknown_keys.clear();
    entry.mtime_nanos = 0;
    BaseMember member{.entry = std::move(entry), .content = {}, .inode = ++last_inode_};
    if (member.entry.type == Type::kFile) {
      ASSIGN_OR_RETURN(member.content, HashMember(reader));
    }
    added.insert_or_assign(path, std::move(member));
    return Ok();
  }

  static Result<HashValue> HashMember(TarReader& reader) {
    struct Content : ByteSource {
      explicit Content(TarReader& from) : reader_(from) {}
      Result<size_t> Read(MutableByteSpan buffer) override { return reader_.ReadContent(buffer); }
      TarReader& reader_;
    } content(reader);
    return HashContent(content);
  }

  Status Hardlink(const std::string& path, const std::string& target, Paths& added) {
    const auto here = added.find(target);
    const auto below = paths_.find(target);
    const bool is_here = here != added.end();
    if (!is_here && below == paths_.end()) {
      return Error(Errc::kCorrupt, StrCat(Escape(path), ": a hard link to ", Escape(target), ", which is not there"));
    }
    const BaseMember member = is_here ? here->second : below->second;
    if (member.entry.type == Type::kDirectory)
      return Error(Errc::kCorrupt, StrCat(Escape(path), ": a link to a folder"));
    added.insert_or_assign(path, member);
    return Ok();
  }

  Paths& paths_;
  uint64_t last_inode_ = 0;
};

bool SameMetadata(const TarEntry& a, const TarEntry& b) {
  return a.type == b.type && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.size == b.size &&
         a.mtime == b.mtime && a.link_target == b.link_target && a.device_major == b.device_major &&
         a.device_minor == b.device_minor && a.xattrs == b.xattrs;
}

class Comparison {
 public:
  Comparison(const BaseImage& base, const RootfsTree& tree) : base_(base), tree_(tree) {}

  // Whether the base has the same thing at `path`; names are compared elsewhere.
  Result<bool> Same(const std::string& path, const RootfsInode& inode) {
    const auto found = base_.paths.find(path);
    if (found == base_.paths.end() || !SameMetadata(found->second.entry, inode.entry)) return false;
    if (inode.entry.type != Type::kFile) return true;
    ASSIGN_OR_RETURN(const auto source, tree_.content->Open(inode));
    ASSIGN_OR_RETURN(const HashValue hash, HashContent(*source));
    return hash == found->second.content;
  }

 private:
  const BaseImage& base_;
  const RootfsTree& tree_;
};

// The names of each inode that is no folder, sorted.
template <typename Inode, typename Map, typename Key>
std::map<Inode, std::vector<std::string>> NamesOf(const Map& paths, Key key) {
  std::map<Inode, std::vector<std::string>> names;
  for (const auto& [path, member] : paths) {
    if (key(member).second != Type::kDirectory) names[key(member).first].push_back(path);
  }
  return names;
}

}  // namespace

Result<BaseImage> ReadBaseImage(const Reference& reference, ImageSource& source, const Platform& platform,
                                const std::string& temp_dir, ImageDestination& destination, OpContext& ctx) {
  const auto read = [&]() -> Result<BaseImage> {
    ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, platform, ctx));
    TRY(CheckIsImage(image.manifest));
    ASSIGN_OR_RETURN(std::string text, FetchSmallBlob(image.manifest.config, kMaxConfigBytes, source, ctx));
    ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(std::move(text), image.manifest.layers.size()));
    ASSIGN_OR_RETURN(const PrivateFolder spool, PrivateFolder::Make(temp_dir, "hostapp-base-", ctx.sys));
    BaseImage out{.layers = image.manifest.layers, .diff_ids = config.diff_ids, .paths = {}};
    Merger merger(out.paths);
    for (size_t i = 0; i < out.layers.size(); ++i) {
      const Descriptor& layer = out.layers[i];
      const auto take = [&]() -> Status {
        ASSIGN_OR_RETURN(const SpooledBlob blob, SpoolBlob(spool.fd(), layer, source, ctx));
        ASSIGN_OR_RETURN(const bool there, destination.HasBlob(layer, ctx));
        if (!there) TRY(destination.PutBlob(layer, blob.file.get(), ctx));
        ASSIGN_OR_RETURN(const Compression compression, CompressionOfMediaType(layer.media_type));
        FdSource compressed(blob.file.get());
        ASSIGN_OR_RETURN(const auto plain, Decompress(compression, compressed, UINT64_MAX));
        HashingSource hashing(*plain);
        TarReader reader(hashing, {});
        TRY(merger.Layer(reader));
        if (hashing.Finish() != out.diff_ids[i].value()) return Error(Errc::kCorrupt, "its diff_id is wrong");
        return RemoveFile(spool.fd(), blob.name, ctx.sys);
      };
      TRY(take().While("layer ", i + 1, " of ", out.layers.size()));
    }
    return out;
  };
  return read().While("reading the base image");
}

namespace {

// Inodes that the base has under exactly the same names.
Result<std::set<const RootfsInode*>> FindKept(const BaseImage& base, const RootfsTree& tree) {
  const auto names = NamesOf<const RootfsInode*>(tree.paths, [](const auto& inode) {
    return std::pair<const RootfsInode*, Type>(inode.get(), inode->entry.type);
  });
  const auto base_names = NamesOf<uint64_t>(
      base.paths, [](const BaseMember& member) { return std::pair(member.inode, member.entry.type); });
  Comparison comparison(base, tree);
  std::set<const RootfsInode*> kept;
  for (const auto& [inode, paths] : names) {
    const auto found = base.paths.find(paths.front());
    if (found == base.paths.end() || found->second.entry.type == Type::kDirectory) continue;
    if (base_names.at(found->second.inode) != paths) continue;
    ASSIGN_OR_RETURN(const bool same, comparison.Same(paths.front(), *inode));
    if (same) kept.insert(inode);
  }
  return kept;
}

// One whiteout for each topmost thing that only the base has. What is below something that is replaced goes with it.
std::vector<PlannedMember> MakeWhiteouts(const BaseImage& base, const RootfsTree& tree) {
  std::vector<PlannedMember> out;
  for (const auto& [path, member] : base.paths) {
    if (path.empty() || tree.paths.contains(path)) continue;
    const std::string parent = ParentOf(path);
    const auto parent_here = tree.paths.find(parent);
    if (parent_here == tree.paths.end() || parent_here->second->entry.type != Type::kDirectory) continue;
    auto inode = std::make_shared<RootfsInode>();
    inode->entry.mode = 0600;
    const std::string folder = parent.empty() ? "" : parent + "/";
    out.push_back({.path = StrCat(folder, ".wh.", path.substr(folder.size())), .inode = inode, .hardlink_to = {}});
  }
  return out;
}

// Folders that something in the layer is below and that it does not have. With their true times: the base has them so,
// and nothing above would say it again.
void AddParentsOf(const RootfsTree& tree, PlannedLayer& layer) {
  std::set<std::string> present, parents;
  for (const PlannedMember& member : layer.members) {
    present.insert(member.path);
    std::string up = member.path;
    while (!up.empty()) {
      up = ParentOf(up);
      if (!parents.insert(up).second) break;
    }
  }
  for (const std::string& path : parents) {
    if (present.contains(path)) continue;
    layer.members.push_back({.path = path, .inode = tree.paths.at(path), .hardlink_to = {}});
  }
}

}  // namespace

Status KeepOnlyChanges(const BaseImage& base, const RootfsTree& tree, std::vector<PlannedLayer>& plan) {
  ASSIGN_OR_RETURN(const std::set<const RootfsInode*> kept, FindKept(base, tree));
  const auto unchanged = [&](const PlannedMember& member) {
    if (member.only_parent) return true;
    if (member.inode->entry.type != Type::kDirectory) return kept.contains(member.inode.get());
    const auto found = base.paths.find(member.path);
    return found != base.paths.end() && SameMetadata(found->second.entry, member.inode->entry);
  };
  for (PlannedLayer& layer : plan) std::erase_if(layer.members, unchanged);
  for (PlannedMember& whiteout : MakeWhiteouts(base, tree)) plan.back().members.push_back(std::move(whiteout));
  std::erase_if(plan, [](const PlannedLayer& layer) { return layer.members.empty(); });
  for (PlannedLayer& layer : plan) {
    AddParentsOf(tree, layer);
    std::sort(layer.members.begin(), layer.members.end(),
              [](const PlannedMember& a, const PlannedMember& b) { return a.path < b.path; });
  }
  return Ok();
}

}  // namespace hostapp

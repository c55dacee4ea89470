// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/import_layer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/sinks.h"
#include "hostapp/layer/compression.h"
#include "hostapp/layer/read_ahead.h"
#include "hostapp/layer/tar_fields.h"
#include "hostapp/layer/tar_reader.h"
#include "ostree-integration/store/layer_builder.h"
#include "ostree-integration/store/layer_index_encoder.h"
#include "ostree-integration/store/mount_points.h"
#include "ostree-integration/store/tree_writer.h"

namespace hostapp {
namespace {

// gzip cannot do better than about 1032:1; what claims more is a bomb, unless the image says the size.
constexpr uint64_t kMaxRatio = 1100;
constexpr uint64_t kSmallOutput = uint64_t{64} << 20;
constexpr int kFramingLevel = 3;

class FileSource : public ByteSource {
 public:
  FileSource(int file, const std::function<void(uint64_t)>& consumed) : file_(file), consumed_(consumed) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    const ssize_t got = ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(offset_));
    if (got < 0) return SysError(errno, "reading the spooled blob");
    offset_ += static_cast<uint64_t>(got);
    consumed_(offset_);
    return static_cast<size_t>(got);
  }

 private:
  int file_;
  const std::function<void(uint64_t)>& consumed_;
  uint64_t offset_ = 0;
};

class HashingSource : public ByteSource {
 public:
  HashingSource(ByteSource& below, HashAlgorithm algorithm) : below_(below), hasher_(algorithm) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    ASSIGN_OR_RETURN(const size_t got, below_.Read(buffer));
    hasher_.Update(buffer.first(got));
    bytes_ += got;
    return got;
  }
  HashValue Finish() { return hasher_.Finish(); }
  uint64_t bytes() const { return bytes_; }

 private:
  ByteSource& below_;
  Hasher hasher_;
  uint64_t bytes_ = 0;
};

// The tar's bytes that are no content, compressed as they come.
class Framing {
 public:
  static Result<std::unique_ptr<Framing>> Begin() {
    auto framing = std::make_unique<Framing>();
    ASSIGN_OR_RETURN(framing->compress_, Compress(Compression::kZstd, kFramingLevel, framing->out_));
    return framing;
  }
  void Add(ByteSpan bytes) {
    bytes_ += bytes.size();
    if (status_.ok()) status_ = compress_->Write(bytes);
  }
  uint64_t bytes() const { return bytes_; }
  Result<std::string> Finish() {
    TRY(std::move(status_));
    TRY(compress_->Finish());
    return std::move(out_.text);
  }

 private:
  StringSink out_;
  std::unique_ptr<CompressingSink> compress_;
  Status status_;
  uint64_t bytes_ = 0;
};

uint64_t MaxOutput(const Descriptor& blob) {
  if (const auto declared = NumberAnnotation(blob, kUncompressedSizeAnnotation)) return *declared;
  if (blob.size > UINT64_MAX / kMaxRatio) return UINT64_MAX;
  return std::max(kSmallOutput, blob.size * kMaxRatio);
}

void EraseShown(const Node& node, std::set<const Inode*>& replaced) {
  replaced.erase(node.inode.get());
  for (const auto& [name, child] : node.children) EraseShown(child, replaced);
}

// Of what later members replaced, the content that no other name in the tree has kept.
std::vector<LayerIndex::Replaced> WithoutName(const std::vector<std::shared_ptr<Inode>>& replaced, const Node& root) {
  std::set<const Inode*> left;
  for (const auto& inode : replaced) {
    if (inode->size > 0) left.insert(inode.get());
  }
  if (!left.empty()) EraseShown(root, left);
  std::vector<LayerIndex::Replaced> out;
  out.reserve(left.size());
  for (const Inode* inode : left) out.push_back({inode->tar_block, inode->size, inode->object});
  std::ranges::sort(out, {}, &LayerIndex::Replaced::tar_block);
  return out;
}

// One streaming pass over the blob.
class LayerReader {
 public:
  LayerReader(ObjectStage& stage, OpContext& ctx) : stage_(stage), ctx_(ctx) {}
  Result<LayerIndex> Run(const Descriptor& blob, const Digest& diff_id, ByteSource& file);
  const std::vector<std::shared_ptr<Inode>>& replaced() const { return builder_.replaced(); }

 private:
  Status AddMember(const TarEntry& entry, TarReader& tar);

  ObjectStage& stage_;
  OpContext& ctx_;
  LayerBuilder builder_;
  LayerIndex index_;
};

Status LayerReader::AddMember(const TarEntry& entry, TarReader& tar) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Inode> inode, builder_.Add(entry));
  if (!inode) return Ok();
  if (inode->type == Inode::Type::kSymlink) return stage_.AddSymlink(*inode);
  if (entry.size > 0) inode->tar_block = tar.position() / tar::kBlock;
  return stage_.AddFile(inode, entry.path, entry.size, [&](MutableByteSpan buffer) { return tar.ReadContent(buffer); });
}

Result<LayerIndex> LayerReader::Run(const Descriptor& blob, const Digest& diff_id, ByteSource& file) {
  ASSIGN_OR_RETURN(const Compression compression, CompressionOfMediaType(blob.media_type));
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> plain, Decompress(compression, file, MaxOutput(blob)));
  HashingSource hashing(*plain, diff_id.algorithm());
  // Decompressing and its hash are a thread's work for themselves.
  std::optional<ReadAhead> ahead;
  if (ctx_.jobs > 1) ahead.emplace(hashing);
  ASSIGN_OR_RETURN(const std::unique_ptr<Framing> framing, Framing::Begin());
  TarReader tar(ahead ? static_cast<ByteSource&>(*ahead) : hashing, TarLimits{},
                [&](ByteSpan bytes) { framing->Add(bytes); });
  while (true) {
    TRY(ctx_.cancel.Check());
    ASSIGN_OR_RETURN(const std::optional<TarEntry> entry, tar.Next());
    if (!entry) break;
    TRY(AddMember(*entry, tar));
  }
  const Digest got(hashing.Finish());
  if (got != diff_id) {
    return Error(Errc::kCorrupt,
                 StrCat("uncompressed, it is ", got.ToString(), ", but the image's config says ", diff_id.ToString()));
  }
  TRY(stage_.Settle());
  index_.diff_id = diff_id;
  index_.root = builder_.TakeRoot();
  index_.replaced = WithoutName(builder_.replaced(), index_.root);
  index_.dropped = builder_.dropped();
  index_.tar_bytes = hashing.bytes();
  index_.framing_bytes = framing->bytes();
  ASSIGN_OR_RETURN(index_.framing, framing->Finish());
  return std::move(index_);
}

std::shared_ptr<Inode> RootOwnedFile() {
  auto inode = std::make_shared<Inode>();
  inode->mode = 0644;
  return inode;
}

// The tree of the layer's commit: `layer`, `index`, and `replaced` where there is something of that kind.
Result<Node> CommitTree(LayerIndex index, const std::vector<std::shared_ptr<Inode>>& replaced, ObjectStage& stage) {
  Node top{ImpliedDirectory(), {}};
  ASSIGN_OR_RETURN(const LayerIndexEncoder encoder, LayerIndexEncoder::Make(index));
  auto index_inode = RootOwnedFile();
  TRY(stage.AddWritten(*index_inode, encoder.size(), [&](ByteSink& out) { return encoder.Write(out); }));
  top.children.emplace("index", Node{index_inode, {}});
  top.children.emplace("layer", std::move(index.root));
  if (replaced.empty()) return top;
  Node& folder = top.children.emplace("replaced", Node{ImpliedDirectory(), {}}).first->second;
  for (const auto& inode : replaced) folder.children.insert_or_assign(Hex(inode->object), Node{inode, {}});
  return top;
}

CommitFields LayerCommit(const Digest& diff_id, const TreeIds& root) {
  GVariantBuilder metadata;
  g_variant_builder_init(&metadata, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add(&metadata, "{sv}", "hostapp.diff-id", g_variant_new_string(diff_id.ToString().c_str()));
  CommitFields fields;
  fields.metadata = glib::Sink(g_variant_builder_end(&metadata));
  fields.subject = StrCat("layer ", diff_id.ToString());
  // No time: the same layer in two images is one commit.
  fields.root_tree = root.tree;
  fields.root_meta = root.meta;
  return fields;
}

Result<LayerIndex> ReadLayerIndex(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return SysError(errno, "looking at its index");
  return ParseLayerIndex(static_cast<uint64_t>(info.st_size), [file](uint64_t offset, MutableByteSpan to) -> Status {
    while (!to.empty()) {
      const ssize_t got = ::pread(file, to.data(), to.size(), static_cast<off_t>(offset));
      if (got < 0) return SysError(errno, "reading its index");
      if (got == 0) return Error(Errc::kCorrupt, "the layer index ends early");
      offset += static_cast<uint64_t>(got);
      to = to.subspan(static_cast<size_t>(got));
    }
    return Ok();
  });
}

std::string_view ReasonText(LayerIndex::Reason reason) {
  switch (reason) {
    case LayerIndex::Reason::kCharDevice:
      return "character device";
    case LayerIndex::Reason::kBlockDevice:
      return "block device";
    case LayerIndex::Reason::kFifo:
      return "fifo";
    case LayerIndex::Reason::kXattr:
      return "extended attribute that no device takes from an image";
  }
  return "";
}

void ListBelow(const Node& folder, const std::string& path, const std::string& reason, std::vector<DroppedPath>& out) {
  for (const auto& [name, child] : folder.children) {
    const std::string child_path = StrCat(path, '/', name);
    out.push_back({child_path, reason});
    ListBelow(child, child_path, reason, out);
  }
}

}  // namespace

std::optional<uint64_t> NumberAnnotation(const Descriptor& blob, std::string_view key) {
  const auto found = blob.annotations.find(key);
  if (found == blob.annotations.end()) return std::nullopt;
  return ParseUint64(found->second);
}

std::vector<DroppedPath> DroppedOf(const LayerIndex& index) {
  std::vector<DroppedPath> out;
  for (const LayerIndex::Dropped& dropped : index.dropped) {
    out.push_back({dropped.path, std::string(ReasonText(dropped.reason))});
  }
  for (const std::string_view name : kTransientFolders) {
    const auto found = index.root.children.find(name);
    if (found == index.root.children.end()) continue;
    ListBelow(found->second, std::string(name), StrCat("below /", name), out);
  }
  return out;
}

Result<LayerImport> ImportLayer(ObjectStage& stage, const Descriptor& blob, const Digest& diff_id, int file,
                                const std::function<void(uint64_t)>& consumed, OpContext& ctx) {
  const StageCounts before = stage.counts();
  FileSource source(file, consumed);
  LayerReader reader(stage, ctx);
  ASSIGN_OR_RETURN(LayerIndex index, reader.Run(blob, diff_id, source));
  LayerImport report{.counts = stage.counts() - before, .dropped = DroppedOf(index)};
  ASSIGN_OR_RETURN(const Node top, CommitTree(std::move(index), reader.replaced(), stage));
  ASSIGN_OR_RETURN(const TreeIds root, WriteTree(stage, top));
  TRY(stage.AddCommit(LayerCommit(diff_id, root), LayerRef(diff_id)).status());
  return report;
}

Result<LayerIndex> LoadLayerIndex(const ImageStore& store, const Digest& diff_id) {
  ASSIGN_OR_RETURN(const std::optional<LayerInfo> layer, FindLayer(store, diff_id));
  if (!layer) return Error(Errc::kNotFound, StrCat("the store does not have the layer ", diff_id.ToString()));
  ASSIGN_OR_RETURN(const UniqueFd file, OpenFile(store, layer->commit, "index"));
  ASSIGN_OR_RETURN(LayerIndex index, ReadLayerIndex(file.get()).While("layer ", diff_id.ToString()));
  if (index.diff_id != diff_id) {
    return Error(Errc::kCorrupt, StrCat("the index of layer ", diff_id.ToString(), " says that it is of layer ",
                                        index.diff_id.ToString()));
  }
  return index;
}

}  // namespace hostapp

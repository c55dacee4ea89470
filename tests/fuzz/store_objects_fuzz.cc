// SPDX-License-Identifier: Apache-2.0
// What lies in the store's repository, damaged or made by somebody else: folders, their metadata, commits with the
// manifest and config of an image in them, refs. A fuzzer guesses no digests: the ref is named after the manifest.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "hostapp/base/strings.h"
#include "ostree-integration/store/image_metadata.h"
#include "ostree-integration/store/ostree_format.h"
#include "ostree-integration/store/refs.h"
#include "ostree-integration/store/tree_reader.h"
#include "tests/fuzz/selected.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using fuzz::Require;

// Of the one object of each kind that there is.
Sha256 TheId() {
  Sha256 id;
  id.fill(std::byte{0xab});
  return id;
}

struct TheStore {
  TheStore() : store(ImageStore::Create(dir.fd(), context.ctx).value()) {
    for (const char* const folder :
         {"objects/ab", "refs/heads/hostapp", "refs/heads/hostapp/image", "refs/heads/hostapp/layer"})
      (void)::mkdir((dir / StrCat("ostree/repo/", folder)).c_str(), 0755);
  }
  // `path` in the repository.
  void Put(const std::string& path, std::string_view bytes) const {
    const UniqueFd file(
        ::open((dir / StrCat("ostree/repo/", path)).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    Require(file.valid() && ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void PutObject(std::string_view extension, std::string_view bytes) const {
    Put("objects/" + ObjectPath(TheId(), extension), bytes);
  }
  void Remove(const std::string& path) const { Require(::unlink((dir / StrCat("ostree/repo/", path)).c_str()) == 0); }

  // In memory where there is room for it: a disk would be what is waited for.
  testing::TempDir dir{::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : nullptr};
  testing::TestContext context;
  ImageStore store;
};

TheStore& Store() {
  static TheStore store;
  return store;
}

template <typename T>
bool Refused(const Result<T>& result) {
  if (!result.ok()) Require(result.error().code() == Errc::kCorrupt);
  return !result.ok();
}

// What is accepted has one form, and names that a folder can have.
void CheckTree(std::string_view text) {
  Store().PutObject("dirtree", text);
  const auto tree = LoadTree(Store().store, TheId());
  if (Refused(tree)) return;
  DirTreeBuilder builder;
  for (const TreeFile& file : tree->files) {
    Require(!file.name.empty() && file.name != "." && file.name != ".." && file.name.find('/') == file.name.npos);
    builder.AddFile(file.name, file.object);
  }
  for (const TreeFolder& folder : tree->folders) {
    Require(!folder.name.empty() && folder.name.find('/') == folder.name.npos);
    builder.AddDirectory(folder.name, folder.tree, folder.meta);
  }
  Require(builder.Finish() == text);
}

void CheckMeta(std::string_view text) {
  Store().PutObject("dirmeta", text);
  const auto meta = LoadDirMeta(Store().store, TheId());
  if (Refused(meta)) return;
  Require(meta->mode <= 07777 && meta->type == Inode::Type::kDirectory);
  Store().PutObject("dirmeta", DirMetaBytes(*meta));
  const auto again = LoadDirMeta(Store().store, TheId());
  Require(again.ok() && again->mode == meta->mode && again->uid == meta->uid && again->gid == meta->gid);
  Require(again->xattrs == meta->xattrs);
}

void CheckCommit(std::string_view text) {
  Store().PutObject("commit", text);
  (void)Refused(LoadCommitRoot(Store().store, TheId()));
}

// Three texts with "--" between them: media type, manifest, config, in a commit that is well-formed.
void CheckImage(std::string_view text) {
  std::string parts[3];
  size_t part = 0;
  for (const std::string_view line : Split(text, '\n')) {
    if (line == "--" && part < 2) {
      ++part;
    } else {
      parts[part] += StrCat(parts[part].empty() ? "" : "\n", line);
    }
  }
  const std::string digest = Digest::Of(AsBytes(parts[2])).ToString();
  for (size_t at = parts[1].find("@config"); at != std::string::npos; at = parts[1].find("@config"))
    parts[1].replace(at, 7, digest);
  GVariantDict dict;
  g_variant_dict_init(&dict, nullptr);
  const std::pair<const char*, size_t> kKeys[] = {{kManifestTypeKey, 0}, {kManifestKey, 1}, {kConfigKey, 2}};
  for (const auto& [key, i] : kKeys) {
    if (parts[i] == "none") continue;
    g_variant_dict_insert_value(&dict, key,
                                g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, parts[i].data(), parts[i].size(), 1));
  }
  CommitFields fields{
      .metadata = glib::Sink(g_variant_dict_end(&dict)), .subject = "s", .root_tree = TheId(), .root_meta = TheId()};
  Store().PutObject("commit", AsText(VariantBytes(CommitVariant(fields).get())));
  const Digest manifest = Digest::Of(AsBytes(parts[1]));
  const std::string ref = StrCat("refs/heads/hostapp/image/", manifest.Hex());
  Store().Put(ref, Hex(TheId()));
  const auto image = LoadImage(Store().store, manifest);
  const auto info = FindImage(Store().store, manifest);
  // Under another image's name it is nobody's.
  const Digest other = Digest::Of(AsBytes(parts[1] + "other"));
  const std::string other_ref = StrCat("refs/heads/hostapp/image/", other.Hex());
  Store().Put(other_ref, Hex(TheId()));
  const auto foreign = LoadImage(Store().store, other);
  Store().Remove(other_ref);
  Store().Remove(ref);
  Require(!foreign.ok() && foreign.error().code() == Errc::kCorrupt);
  Require(LoadImage(Store().store, manifest).error().code() == Errc::kNotFound);
  Require(image.ok() == info.ok());
  if (Refused(image)) return;
  Require(Digest::Of(AsBytes(image->manifest.document.bytes)) == manifest &&
          image->manifest.document.bytes == parts[1]);
  Require(image->config.bytes == parts[2] && (*info)->diff_ids.size() == image->manifest.layers.size());
  const auto root = LoadCommitRoot(Store().store, TheId());
  Require(root.ok() && root->tree == TheId() && root->meta == TheId() && !root->parent);
}

void CheckRef(std::string_view text) {
  Store().Put("refs/heads/hostapp/layer/x", text);
  const auto commit = ResolveRef(Store().store, "hostapp/layer/x");
  const auto scan = ScanRefs(Store().store);
  Store().Remove("refs/heads/hostapp/layer/x");
  Require(scan.ok() && scan->damaged.size() == (commit.ok() ? 0 : 1));
  if (Refused(commit)) return;
  Require(ParseSha256(**commit).has_value() && scan->refs.at("hostapp/layer/x") == **commit);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckTree, CheckMeta, CheckCommit, CheckImage, CheckRef};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}

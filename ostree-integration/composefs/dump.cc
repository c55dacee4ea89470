// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/dump.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hostapp/base/strings.h"

namespace hostapp::composefs {
namespace {

class DumpReader {
 public:
  Result<Tree> Read(std::string_view text) {
    lines_ = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    if (text.find(" @") != text.npos) TRY(ForEachLine(text, [&](std::string_view line) { return NoteLink(line); }));
    TRY(ForEachLine(text, [&](std::string_view line) { return AddLine(line); }));
    if (!tree_) return Bad("a dump without a root");
    for (const auto& [path, target] : links_) TRY(AddLink(path, target).While(Escape(path)));
    return std::move(*tree_);
  }

 private:
  enum Field { kPath, kSize, kMode, kLinks, kUid, kGid, kDevice, kMtime, kPayload, kContent, kDigest, kFields };

  static Error Bad(std::string_view what) { return {Errc::kCorrupt, std::string(what)}; }

  template <typename Do>
  static Status ForEachLine(std::string_view text, Do act) {
    for (size_t number = 1; !text.empty(); ++number) {
      const size_t end = std::min(text.find('\n'), text.size());
      TRY(act(text.substr(0, end)).While("line ", number));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return Ok();
  }

  static std::string_view Cut(std::string_view& text, char separator) {
    const size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
  }

  // The first eleven fields; `line` keeps the rest.
  static Status CutFields(std::string_view& line, std::string_view (&fields)[kFields]) {
    for (std::string_view& field : fields) {
      field = Cut(line, ' ');
      if (field.empty()) return Bad("a field is empty or missing");
    }
    return Ok();
  }

  static Result<std::string> Unescape(std::string_view text) {
    std::string out;
    const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; };
    if (std::any_of(text.begin(), text.end(), is_control)) return Bad("a control character");
    if (text.find('\\') == text.npos) return std::string(text);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      if (++i == text.size()) return Bad("nothing behind a backslash");
      static constexpr std::string_view kLetters = "\\nrt", kMeanings = "\\\n\r\t";
      if (const size_t letter = kLetters.find(text[i]); letter != kLetters.npos) {
        out += kMeanings[letter];
        continue;
      }
      unsigned value = 0;
      const char* digits = text.data() + i + 1;
      if (text[i] != 'x' || text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
        return Bad("an unknown escape");
      out += static_cast<char>(value);
      i += 2;
    }
    return out;
  }

  static Result<std::optional<std::string>> Optional(std::string_view field) {
    if (field == "-") return std::optional<std::string>();
    ASSIGN_OR_RETURN(std::string text, Unescape(field));
    return std::optional(std::move(text));
  }

  template <typename T>
  static Status Number(std::string_view field, T& out, int base = 10) {
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), out, base);
    if (error != std::errc() || end != field.data() + field.size()) return Bad("not a number, or too large");
    return Ok();
  }

  static Result<std::string> Path(std::string_view field) {
    ASSIGN_OR_RETURN(std::string path, Unescape(field));
    if (!path.starts_with('/') || (path.size() > 1 && path.ends_with('/'))) return Bad("not an absolute path");
    return path;
  }

  Status NoteLink(std::string_view line) {
    std::string_view fields[kFields];
    TRY(CutFields(line, fields));
    if (!fields[kMode].starts_with('@')) return Ok();
    ASSIGN_OR_RETURN(std::string path, Path(fields[kPath]));
    ASSIGN_OR_RETURN(std::string target, Path(fields[kPayload]));
    files_[target];
    links_.emplace_back(path, target);
    if (!targets_.emplace(std::move(path), std::move(target)).second) return Bad("the path is there twice");
    return Ok();
  }

  Status AddLine(std::string_view line) {
    std::string_view fields[kFields];
    TRY(CutFields(line, fields));
    if (fields[kMode].starts_with('@')) return Ok();
    ASSIGN_OR_RETURN(const std::string path, Path(fields[kPath]));
    std::vector<std::pair<std::string, std::string>> owned;
    while (!line.empty()) {
      std::string_view text = Cut(line, ' ');
      if (text.find('=') == text.npos) return Bad("an extended attribute without a value");
      ASSIGN_OR_RETURN(std::string name, Unescape(Cut(text, '=')));
      ASSIGN_OR_RETURN(std::string value, Unescape(text));
      owned.emplace_back(std::move(name), std::move(value));
    }
    std::vector<Xattr> xattrs;
    xattrs.reserve(owned.size());
    for (const auto& [name, value] : owned) xattrs.push_back({.name = name, .value = value});
    Metadata metadata{.xattrs = xattrs};
    uint32_t mode = 0;
    TRY(Number(fields[kMode], mode, 8));
    metadata.mode = mode & 07777;
    TRY(Number(fields[kLinks], metadata.links));
    TRY(Number(fields[kUid], metadata.uid));
    TRY(Number(fields[kGid], metadata.gid));
    std::string_view time = fields[kMtime];
    TRY(Number(Cut(time, '.'), metadata.mtime));
    TRY(Number(time, metadata.mtime_nanos));
    if (path == "/") return AddRoot(mode, metadata);
    return AddFile(path, mode & S_IFMT, metadata, fields);
  }

  Status AddRoot(uint32_t mode, const Metadata& metadata) {
    if (tree_ || (mode & S_IFMT) != S_IFDIR) return Bad("a second root, or one that is no folder");
    ASSIGN_OR_RETURN(Tree tree, Tree::Create(metadata));
    tree_ = std::move(tree);
    tree_->Reserve(lines_);
    folders_[""] = Tree::kRoot;
    return Ok();
  }

  // The folder of a path.
  Result<Tree::Id> Parent(std::string_view path) {
    const std::string folder(path.substr(0, path.rfind('/')));
    const auto found = folders_.find(folder);
    if (found == folders_.end()) return Bad("the folder of that path is not there yet");
    return found->second;
  }

  Status AddFile(const std::string& path, uint32_t type, const Metadata& metadata,
                 const std::string_view (&fields)[kFields]) {
    const auto folder = Parent(path);
    if (!folder.ok()) return folder.error();
    const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
    uint64_t size = 0;
    uint32_t device = 0;
    TRY(Number(fields[kSize], size));
    TRY(Number(fields[kDevice], device));
    ASSIGN_OR_RETURN(const auto payload, Optional(fields[kPayload]));
    ASSIGN_OR_RETURN(const auto content, Optional(fields[kContent]));
    if (content && content->size() != size) return Bad("a size that is not the content's");
    if (content && (payload || type != S_IFREG)) return Bad("content where none can be");
    if (device != 0 && type != S_IFCHR && type != S_IFBLK) return Bad("the number of a device for what is none");
    const auto id = [&]() -> Result<Tree::Id> {
      switch (type) {
        case S_IFDIR:
          return tree_->AddFolder(*folder, name, metadata);
        case S_IFREG:
          if (content) return tree_->AddInlineFile(*folder, name, metadata, *content);
          return AddBacked(*folder, name, metadata, size, payload.value_or(""), fields[kDigest]);
        case S_IFLNK:
          return tree_->AddSymlink(*folder, name, metadata, payload.value_or(""));
        case S_IFCHR:
        case S_IFBLK:
          return tree_->AddDevice(*folder, name, metadata,
                                  {.type = type == S_IFCHR ? DeviceType::kCharacter : DeviceType::kBlock,
                                   .major = device >> 8 & 0xfff,
                                   .minor = (device & 0xff) | (device >> 12 & 0xfff00)});
        case S_IFIFO:
          return tree_->AddSpecial(*folder, name, metadata, SpecialType::kFifo);
        case S_IFSOCK:
          return tree_->AddSpecial(*folder, name, metadata, SpecialType::kSocket);
        default:
          return Bad("an unknown type of file");
      }
    }();
    if (!id.ok()) return id.error();
    if (type == S_IFDIR) folders_[path] = *id;
    if (const auto wanted = files_.find(path); wanted != files_.end()) wanted->second = *id;
    return Ok();
  }

  Result<Tree::Id> AddBacked(Tree::Id folder, std::string_view name, const Metadata& metadata, uint64_t size,
                             std::string_view path, std::string_view digest) {
    Backing backing{.size = size, .path = path};
    if (digest != "-") {
      const auto bytes = HexDecode(digest);
      if (!bytes || bytes->size() != sizeof(Sha256)) return Bad("not a digest");
      std::memcpy(backing.verity.emplace().data(), bytes->data(), bytes->size());
    }
    return tree_->AddFile(folder, name, metadata, backing);
  }

  Status AddLink(const std::string& path, const std::string& target) {
    ASSIGN_OR_RETURN(const std::string end, EndOfChain(target));
    const std::optional<Tree::Id> file = files_[end];
    if (!file) return Bad("a hard link to nothing");
    ASSIGN_OR_RETURN(const Tree::Id folder, Parent(path));
    return tree_->AddHardLink(folder, std::string_view(path).substr(path.rfind('/') + 1), *file);
  }

  // What a path is a link to, over links to links. They lead to the end afterwards: no chain is walked twice.
  Result<std::string> EndOfChain(std::string path) {
    std::vector<std::string*> walked;
    for (auto link = targets_.find(path); link != targets_.end(); link = targets_.find(path)) {
      if (walked.size() == targets_.size()) return Bad("a loop of hard links");
      walked.push_back(&link->second);
      path = link->second;
    }
    for (std::string* target : walked) *target = path;
    return path;
  }

  size_t lines_ = 0;
  std::optional<Tree> tree_;
  std::unordered_map<std::string, Tree::Id> folders_;               // by path; the root's is ""
  std::vector<std::pair<std::string, std::string>> links_;          // path and target, as they come
  std::unordered_map<std::string, std::string> targets_;            // the same, by path; shortened on the way
  std::unordered_map<std::string, std::optional<Tree::Id>> files_;  // those that links lead to
};

}  // namespace

Result<Tree> ReadDump(std::string_view text) { return DumpReader().Read(text); }

}  // namespace hostapp::composefs

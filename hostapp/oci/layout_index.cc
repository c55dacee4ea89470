// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/layout_index.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";

std::string TagOf(const Descriptor& entry) {
  const auto found = entry.annotations.find(kRefName);
  return found == entry.annotations.end() ? "" : found->second;
}

std::string TagsOf(const Index& index) {
  std::vector<std::string> tags;
  for (const Descriptor& entry : index.manifests) {
    const std::string tag = TagOf(entry);
    tags.push_back(tag.empty() ? StrCat("an untagged ", entry.digest.Short()) : Escape(tag));
  }
  return tags.empty() ? "nothing" : Join(tags, ", ");
}

}  // namespace

Status CheckLayoutFile(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, kLayoutFileName));
  const JsonCursor cursor(json, kLayoutFileName);
  ASSIGN_OR_RETURN(const std::string version, cursor.StringAt("imageLayoutVersion"));
  if (version.starts_with("1.")) return Ok();
  return cursor.Wrong(StrCat("layout version \"", Escape(version), "\", and only 1.x is known"));
}

Result<Descriptor> SelectLayoutEntry(const Index& index, const Reference& reference) {
  std::vector<Descriptor> found;
  for (const Descriptor& entry : index.manifests) {
    const bool wanted = reference.digest         ? entry.digest == *reference.digest
                        : !reference.tag.empty() ? TagOf(entry) == reference.tag
                                                 : true;
    if (wanted) found.push_back(entry);
  }
  if (reference.digest && !found.empty()) return found.front();
  if (found.size() == 1) return found.front();
  const std::string there = StrCat("; there is ", TagsOf(index));
  if (reference.digest) return Error(Errc::kNotFound, StrCat("no ", reference.digest->ToString(), there));
  if (reference.tag.empty() && !found.empty()) {
    return Error(Errc::kNotFound, StrCat("several images, so a tag is needed", there));
  }
  if (found.empty()) return Error(Errc::kNotFound, StrCat("no tag \"", reference.tag, "\"", there));
  return Error(Errc::kCorrupt, StrCat("index.json: ", found.size(), " images are tagged \"", reference.tag, "\""));
}

Result<std::string> WithLayoutEntry(std::string_view old_text, Descriptor entry, std::string_view tag) {
  Json root(Json::Object{{"schemaVersion", 2}, {"mediaType", media_type::kOciIndex}, {"manifests", Json::Array()}});
  if (!old_text.empty()) {
    // Parsed as an index first, so that what follows may rely on its shape.
    TRY(ParseDocument({.media_type = std::string(media_type::kOciIndex), .bytes = std::string(old_text)}).status());
    ASSIGN_OR_RETURN(root, ParseJson(old_text, kLayoutIndexName));
  }
  Json::Array& manifests = *root.AsObject()->at("manifests").AsArray();
  Json::Array kept;
  for (Json& old : manifests) {
    ASSIGN_OR_RETURN(const Descriptor descriptor, ParseDescriptor(JsonCursor(old, kLayoutIndexName)));
    if (TagOf(descriptor) != tag) kept.push_back(std::move(old));
  }
  entry.annotations.erase(std::string(kRefName));
  if (!tag.empty()) entry.annotations.emplace(kRefName, tag);
  kept.push_back(ToJson(entry));
  manifests = std::move(kept);
  return root.Dump();
}

}  // namespace hostapp

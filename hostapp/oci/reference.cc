// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/reference.h"

#include <array>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr size_t kMaxTag = 128;
constexpr size_t kMaxName = 255;  // of host, slash and repository: the distribution specification

bool IsLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsAlnum(char c) { return IsLowerAlnum(c) || IsUpper(c); }

// Says no with the whole text and the rule that it breaks.
class Refusal {
 public:
  explicit Refusal(std::string_view text) : text_(text) {}
  Error operator()(std::string_view rule) const {
    return Error(Errc::kInvalid, StrCat("reference \"", Escape(text_.substr(0, 300)), "\": ", rule));
  }

 private:
  std::string_view text_;
};

bool IsTag(std::string_view tag) {
  if (tag.empty() || tag.size() > kMaxTag || tag[0] == '.' || tag[0] == '-') return false;
  for (const char c : tag) {
    if (!IsAlnum(c) && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

// [a-z0-9]+ and between such runs one of ".", "_", "__" or any number of "-".
bool IsRepositoryComponent(std::string_view text) {
  if (text.empty() || !IsLowerAlnum(text.front()) || !IsLowerAlnum(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    if (IsLowerAlnum(text[i])) {
      ++i;
      continue;
    }
    const size_t end = text.find_first_of("abcdefghijklmnopqrstuvwxyz0123456789", i);
    const std::string_view separator = text.substr(i, end - i);
    const bool dashes = separator.find_first_not_of('-') == std::string_view::npos;
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    i = end;
  }
  return true;
}

bool IsRepository(std::string_view text) {
  for (const std::string_view component : Split(text, '/')) {
    if (!IsRepositoryComponent(component)) return false;
  }
  return true;
}

bool IsPort(std::string_view text) {
  const std::optional<uint64_t> port = ParseUint64(text);
  return port && *port >= 1 && *port <= 65535 && text.size() <= 5;
}

bool IsHostName(std::string_view text) {
  for (const std::string_view label : Split(text, '.')) {
    if (label.empty() || label.size() > 63 || !IsAlnum(label.front()) || !IsAlnum(label.back())) return false;
    for (const char c : label) {
      if (!IsAlnum(c) && c != '-') return false;
    }
  }
  return text.size() <= 253;
}

bool IsIpv6(std::string_view text) {
  return text.size() >= 2 && text.size() <= 45 && text.find(':') != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

// host, host:port, [v6], [v6]:port
bool IsHost(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !IsIpv6(text.substr(1, close - 1))) return false;
    const std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && IsPort(rest.substr(1)));
  }
  const size_t colon = text.find(':');
  if (!IsHostName(text.substr(0, colon))) return false;
  return colon == std::string_view::npos || IsPort(text.substr(colon + 1));
}

// Docker's rule for short names, but for one thing: a first part in upper case alone makes no host, since in lower
// case, as hosts are compared, the same text would be a repository.
bool LooksLikeHost(std::string_view first) {
  return ToLower(first) == "localhost" || first.find_first_of(".:[") != std::string_view::npos;
}

// Takes "@sha256:…" off the end of `rest`.
Result<std::optional<Digest>> TakeDigest(std::string_view& rest, const Refusal& refuse) {
  const size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return std::optional<Digest>();
  const Result<Digest> digest = Digest::Parse(rest.substr(at + 1));
  if (!digest.ok()) return refuse(digest.error().message());
  rest = rest.substr(0, at);
  return std::optional<Digest>(*digest);
}

constexpr std::string_view kTagRule =
    "a tag has 1 to 128 letters, digits, \"_\", \".\" and \"-\", and does not begin with \".\" or \"-\"";

Result<Reference> ParseRegistry(std::string_view rest, const Refusal& refuse) {
  Reference out;
  ASSIGN_OR_RETURN(out.digest, TakeDigest(rest, refuse));
  const size_t slash = rest.find('/');
  std::string_view name = rest;
  if (slash != std::string_view::npos && LooksLikeHost(rest.substr(0, slash))) {
    const std::string_view host = rest.substr(0, slash);
    if (!IsHost(host)) return refuse("the part before the first \"/\" is no host name with an optional port");
    out.host = ToLower(host);
    name = rest.substr(slash + 1);
  }
  const size_t colon = name.rfind(':');
  if (colon != std::string_view::npos) {
    out.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (!IsTag(out.tag)) return refuse(kTagRule);
  }
  if (name.empty()) return refuse("names no repository");
  if (!IsRepository(name)) {
    return refuse(
        "a repository's parts have lower-case letters and digits, with \".\", \"_\", \"__\" or \"-\" between them");
  }
  out.repository = name;
  if (out.host.empty() || out.host == "index.docker.io") out.host = kDockerHub;
  if (out.host == kDockerHub && out.repository.find('/') == std::string::npos) {
    out.repository = StrCat("library/", out.repository);
  }
  if (out.host.size() + 1 + out.repository.size() > kMaxName) {
    return refuse(StrCat("host and repository are longer than ", kMaxName, " characters"));
  }
  return out;
}

// A tag is what follows the last ':', unless that has a '/' and so belongs to the path.
Result<Reference> ParsePath(Reference::Transport transport, std::string_view rest, const Refusal& refuse) {
  Reference out;
  out.transport = transport;
  if (rest.find("@sha256:") != std::string_view::npos || rest.find("@sha512:") != std::string_view::npos) {
    ASSIGN_OR_RETURN(out.digest, TakeDigest(rest, refuse));
  }
  const size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!IsTag(out.tag)) return refuse(kTagRule);
  }
  if (rest.empty()) return refuse("names no path");
  if (rest.find('\0') != std::string_view::npos) return refuse("a path has no zero bytes");
  out.path = rest;
  return out;
}

}  // namespace

std::string Reference::ToString() const {
  std::string out;
  switch (transport) {
    case Transport::kRegistry:
      out = StrCat("docker://", host, '/', repository);
      break;
    case Transport::kLayoutDir:
      out = StrCat("oci:", path);
      break;
    case Transport::kArchive:
      out = StrCat("oci-archive:", path);
      break;
  }
  if (!tag.empty()) out += StrCat(':', tag);
  if (digest) out += StrCat('@', digest->ToString());
  return out;
}

Result<Reference> ParseReference(std::string_view text) {
  const Refusal refuse(text);
  constexpr std::string_view kDocker = "docker://";
  constexpr std::string_view kLayout = "oci:";
  constexpr std::string_view kArchive = "oci-archive:";
  if (text.starts_with(kDocker)) return ParseRegistry(text.substr(kDocker.size()), refuse);
  if (text.starts_with(kLayout))
    return ParsePath(Reference::Transport::kLayoutDir, text.substr(kLayout.size()), refuse);
  if (text.starts_with(kArchive)) {
    return ParsePath(Reference::Transport::kArchive, text.substr(kArchive.size()), refuse);
  }
  constexpr std::array<std::string_view, 5> kOthers = {
      "docker-archive:", "docker-daemon:", "containers-storage:", "dir:", "ostree:"};
  for (const std::string_view other : kOthers) {
    if (text.starts_with(other))
      return refuse("not a transport of hostapp; \"skopeo copy\" makes an oci-archive of it");
  }
  if (text.find("://") != std::string_view::npos) return refuse("the transports are docker://, oci: and oci-archive:");
  return ParseRegistry(text, refuse);
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <memory>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlPtr = std::unique_ptr<CURLU, FreeUrl>;

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

Result<Url> Check(CURLU* parsed, std::string_view text) {
  const auto wrong = [&](std::string_view rule) { return Error(Errc::kCorrupt, StrCat(Escape(text), ": ", rule)); };
  Url url;
  url.scheme = Part(parsed, CURLUPART_SCHEME);
  url.host = ToLower(Part(parsed, CURLUPART_HOST));
  if (url.scheme != "http" && url.scheme != "https") return wrong("only http and https are spoken here");
  if (!Part(parsed, CURLUPART_USER).empty()) return wrong("a URL must not carry a user name");
  if (url.host.empty()) return wrong("a URL without a host");
  const std::optional<uint64_t> port = ParseUint64(Part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  if (!port || *port == 0 || *port > 65535) return wrong("a URL without a port that exists");
  url.port = static_cast<uint16_t>(*port);
  url.target = Part(parsed, CURLUPART_PATH);
  const std::string query = Part(parsed, CURLUPART_QUERY);
  if (!query.empty()) url.target += "?" + query;
  return url;
}

bool HasControls(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return true;
  }
  return false;
}

// The address that `host` spells, as 16 bytes (IPv4 mapped); false for a name.
bool ParseAddress(std::string_view host, in6_addr& out) {
  std::string text(host);
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
    text = text.substr(0, text.find('%'));
    return ::inet_pton(AF_INET6, text.c_str(), &out) == 1;
  }
  return ::inet_pton(AF_INET6, StrCat("::ffff:", text).c_str(), &out) == 1;
}

}  // namespace

std::string Url::ToString() const {
  const bool usual = port == (plain() ? 80 : 443);
  return StrCat(scheme, "://", host, usual ? "" : StrCat(":", port), target);
}

Result<Url> ParseUrl(std::string_view text) {
  const UrlPtr parsed(curl_url());
  if (HasControls(text) ||
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(text).c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Error(Errc::kCorrupt, StrCat(Escape(text), ": no URL"));
  }
  return Check(parsed.get(), text);
}

Result<Url> ResolveUrl(const Url& base, std::string_view location) {
  const UrlPtr parsed(curl_url());
  const std::string from = base.ToString();
  if (location.empty() || HasControls(location) ||
      curl_url_set(parsed.get(), CURLUPART_URL, from.c_str(), 0) != CURLUE_OK ||
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(location).c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Error(Errc::kCorrupt, StrCat(Escape(location), ": no URL"));
  }
  return Check(parsed.get(), location);
}

bool SameOrigin(const Url& a, const Url& b) { return a.scheme == b.scheme && a.host == b.host && a.port == b.port; }

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  in6_addr address{};
  if (!ParseAddress(host, address)) return false;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return address.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address);
}

bool IsLinkLocal(std::string_view host) {
  in6_addr address{};
  if (!ParseAddress(host, address)) return false;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return address.s6_addr[12] == 169 && address.s6_addr[13] == 254;
  return IN6_IS_ADDR_LINKLOCAL(&address);
}

Result<std::pair<std::string, uint16_t>> SplitHostPort(std::string_view text) {
  const auto wrong = [&] { return Error(Errc::kCorrupt, StrCat("\"", Escape(text), "\" is no host")); };
  const size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos;
  const std::string_view host = text.substr(0, has_port ? colon : text.size());
  if (host.empty() || host.find_first_of("/@?# \t\r\n") != std::string_view::npos) return wrong();
  if (!has_port) return std::pair<std::string, uint16_t>(host, 0);
  const std::optional<uint64_t> port = ParseUint64(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return wrong();
  return std::pair<std::string, uint16_t>(host, static_cast<uint16_t>(*port));
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      for (const char digit : HexEncode(AsBytes({&c, 1}))) {
        out += static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit);
      }
    }
  }
  return out;
}

}  // namespace hostapp

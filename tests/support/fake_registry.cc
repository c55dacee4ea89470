// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "hostapp/base/check.h"
#include "hostapp/base/hash.h"
#include "hostapp/base/strings.h"

namespace hostapp::testing {
namespace {

std::string DigestOf(std::string_view bytes) { return "sha256:" + HashOf(AsBytes(bytes)).Hex(); }

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Reads requests from a socket, keeping what belongs to the next one.
class Reader {
 public:
  explicit Reader(int socket) : socket_(socket) {}

  std::optional<FakeRequest> Next() {
    const std::optional<std::string> head = Until("\r\n\r\n");
    if (!head) return std::nullopt;
    FakeRequest request;
    bool first = true;
    for (const std::string_view line : Split(*head, '\n')) {
      const std::string_view text = Trim(line);
      if (first) {
        ParseFirstLine(text, request);
      } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
        request.headers[ToLower(text.substr(0, colon))] = std::string(Trim(text.substr(colon + 1)));
      }
      first = false;
    }
    const uint64_t length = ParseUint64(request.header("content-length")).value_or(0);
    while (buffer_.size() < length) {
      if (!Fill()) return std::nullopt;
    }
    request.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return request;
  }

 private:
  static void ParseFirstLine(std::string_view line, FakeRequest& request) {
    const std::vector<std::string_view> words = Split(line, ' ');
    request.method = std::string(words[0]);
    const std::string_view target = words.size() > 1 ? words[1] : "";
    request.path = std::string(target.substr(0, target.find('?')));
    if (target.find('?') != std::string_view::npos) request.query = std::string(target.substr(target.find('?') + 1));
  }
  std::optional<std::string> Until(std::string_view end) {
    size_t at = 0;
    while ((at = buffer_.find(end)) == std::string::npos) {
      if (!Fill()) return std::nullopt;
    }
    std::string head = buffer_.substr(0, at);
    buffer_.erase(0, at + end.size());
    return head;
  }
  bool Fill() {
    char bytes[65536];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(got));
    // A TLS greeting: nothing that this server will ever understand.
    return buffer_[0] != '\x16';
  }

  int socket_;
  std::string buffer_;
};

std::string Query(const FakeRequest& request, std::string_view key) {
  for (const std::string_view part : Split(request.query, '&')) {
    if (!part.starts_with(StrCat(key, "="))) continue;
    std::string value(part.substr(key.size() + 1));
    for (size_t at = 0; (at = value.find('%', at)) != std::string::npos; ++at) {
      const auto byte = HexDecode(ToLower(value.substr(at + 1, 2)));
      if (byte) value.replace(at, 3, 1, static_cast<char>((*byte)[0]));
    }
    return value;
  }
  return "";
}

FakeReply Refuse(int status, std::string_view code) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = StrCat(R"({"errors":[{"code":")", code, R"(","message":"told so by a test"}]})")};
}

}  // namespace

FakeRegistry::FakeRegistry() {
  listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(listener_.valid());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  CHECK(::listen(listener_.get(), 64) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FakeRegistry::~FakeRegistry() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

std::string FakeRegistry::host() const { return StrCat("127.0.0.1:", port_); }

void FakeRegistry::Accept() {
  for (;;) {
    const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (socket < 0 || stopping_) {
      if (socket >= 0) ::close(socket);
      return;
    }
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ++connections_;
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void FakeRegistry::Serve(int socket) {
  Reader reader(socket);
  while (const std::optional<FakeRequest> request = reader.Next()) {
    if (!Answer(socket, *request)) break;
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, socket);
  ::close(socket);
}

// False: this connection has no next request.
bool FakeRegistry::Answer(int socket, const FakeRequest& request) {
  std::optional<FakeReply> reply;
  {
    Hook hook;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      hook = hook_;
    }
    const std::lock_guard one_at_a_time(hook_mutex_);
    if (hook) reply = hook(request);
  }
  if (!reply) reply = Usual(request);
  if (!reply->raw.empty()) {
    SendAll(socket, reply->raw);
    ::shutdown(socket, SHUT_WR);
    return false;
  }
  std::string head = StrCat("HTTP/1.1 ", reply->status, " Status\r\n");
  for (const auto& [name, value] : reply->headers) head += StrCat(name, ": ", value, "\r\n");
  const bool bodyless = request.method == "HEAD" || reply->status == 204;
  if (reply->chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!reply->endless && reply->status != 204) {
    head += StrCat("Content-Length: ", reply->content_length.value_or(reply->body.size()), "\r\n");
  }
  if (!SendAll(socket, head + "\r\n")) return false;
  if (bodyless) return true;
  const std::string_view body = std::string_view(reply->body).substr(0, reply->die_after.value_or(reply->body.size()));
  do {
    const std::string chunk =
        reply->chunked ? StrCat(HexEncode(AsBytes(std::string{
                                    static_cast<char>(body.size() >> 24), static_cast<char>(body.size() >> 16),
                                    static_cast<char>(body.size() >> 8), static_cast<char>(body.size())})),
                                "\r\n", body, "\r\n")
                       : std::string(body);
    if (!body.empty() && !SendAll(socket, chunk)) return false;
  } while (reply->endless && !body.empty());
  if (reply->die_after) {
    // Sends what was written, then a FIN in the middle of the body.
    ::shutdown(socket, SHUT_WR);
    return false;
  }
  return !reply->chunked || SendAll(socket, "0\r\n\r\n");
}

FakeReply FakeRegistry::Usual(const FakeRequest& request) {
  const std::lock_guard lock(mutex_);
  return UsualLocked(request);
}

FakeReply FakeRegistry::UsualLocked(const FakeRequest& request) {
  if (request.path == "/token") return Token(request);
  if (std::optional<FakeReply> refused = CheckLogin(request)) return *refused;
  if (request.path == "/v2/") return {};
  for (const std::string_view kind : {"/blobs/uploads/", "/blobs/", "/manifests/"}) {
    const size_t at = request.path.find(kind);
    if (at == std::string::npos || !request.path.starts_with("/v2/")) continue;
    const std::string name = request.path.substr(4, at - 4);
    const std::string rest = request.path.substr(at + kind.size());
    if (kind == "/blobs/uploads/") return Upload(request, name, rest);
    if (kind == "/blobs/") return Blob(request, repositories_[name], rest);
    return Manifest(request, repositories_[name], rest);
  }
  return Refuse(404, "UNSUPPORTED");
}

std::optional<FakeReply> FakeRegistry::CheckLogin(const FakeRequest& request) {
  if (login_ == Login::kNone) return std::nullopt;
  const std::string given = request.header("authorization");
  FakeReply refusal = Refuse(401, "UNAUTHORIZED");
  if (login_ == Login::kBasic) {
    if (given == "Basic " + Base64Encode(AsBytes(user_ + ":" + password_))) return std::nullopt;
    refusal.headers.emplace_back("WWW-Authenticate", "Basic realm=\"fake\"");
    return refusal;
  }
  if (given == StrCat("Bearer token-", token_generation_)) return std::nullopt;
  refusal.headers.emplace_back("WWW-Authenticate", StrCat("Bearer realm=\"", url(), "/token\",service=\"fake\""));
  return refusal;
}

FakeReply FakeRegistry::Token(const FakeRequest& request) {
  const std::string wanted = "Basic " + Base64Encode(AsBytes(user_ + ":" + password_));
  if (!user_.empty() && request.header("authorization") != wanted) return Refuse(401, "UNAUTHORIZED");
  return {.headers = {{"Content-Type", "application/json"}},
          .body = StrCat(R"({"token":"token-)", token_generation_, R"("})")};
}

FakeReply FakeRegistry::Blob(const FakeRequest& request, Repository& repository, const std::string& digest) {
  const auto found = repository.blobs.find(digest);
  if (found == repository.blobs.end()) return Refuse(404, "BLOB_UNKNOWN");
  const std::string& bytes = found->second;
  FakeReply reply{.headers = {{"Content-Type", "application/octet-stream"}}, .body = bytes};
  std::string_view range = request.headers.contains("range") ? std::string_view(request.headers.at("range")) : "";
  if (!range.starts_with("bytes=")) return reply;
  const uint64_t first = ParseUint64(range.substr(6, range.find('-') - 6)).value_or(0);
  if (first >= bytes.size()) return Refuse(416, "RANGE_INVALID");
  reply.status = 206;
  reply.headers.emplace_back("Content-Range", StrCat("bytes ", first, "-", bytes.size() - 1, "/", bytes.size()));
  reply.body = bytes.substr(first);
  return reply;
}

FakeReply FakeRegistry::Manifest(const FakeRequest& request, Repository& repository, const std::string& name) {
  if (request.method == "PUT") {
    const std::string digest = DigestOf(request.body);
    for (const std::string& key : {name, digest})
      repository.manifests[key] = {request.header("content-type"), request.body};
    return {.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
  }
  const auto found = repository.manifests.find(name);
  if (found == repository.manifests.end()) return Refuse(404, "MANIFEST_UNKNOWN");
  const auto& [type, bytes] = found->second;
  return {.headers = {{"Content-Type", type}, {"Docker-Content-Digest", DigestOf(bytes)}}, .body = bytes};
}

FakeReply FakeRegistry::Upload(const FakeRequest& request, const std::string& name, const std::string& id) {
  const auto here = [&](const std::string& upload) {
    return std::pair<std::string, std::string>("Location",
                                               StrCat("/v2/", name, "/blobs/uploads/", upload, "?state=s%2B1"));
  };
  if (request.method == "POST") {
    const std::string mount = Query(request, "mount");
    const std::string from = Query(request, "from");
    if (!mount.empty() && repositories_[from].blobs.contains(mount)) {
      repositories_[name].blobs[mount] = repositories_[from].blobs[mount];
      return {.status = 201};
    }
    const std::string upload = StrCat("u", next_upload_++);
    uploads_[upload] = "";
    return {.status = 202, .headers = {here(upload)}};
  }
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || Query(request, "state") != "s+1") return Refuse(404, "BLOB_UPLOAD_UNKNOWN");
  std::string& bytes = found->second;
  const auto range = [&] {
    return std::pair<std::string, std::string>("Range", StrCat("0-", bytes.empty() ? 0 : bytes.size() - 1));
  };
  if (request.method == "GET") return {.status = 204, .headers = {here(id), range()}};
  if (request.method == "PATCH") {
    const std::string wanted = StrCat(bytes.size(), "-", bytes.size() + request.body.size() - 1);
    if (request.header("content-range") != wanted) return Refuse(416, "RANGE_INVALID");
    bytes += request.body;
    return {.status = 202, .headers = {here(id), range()}};
  }
  bytes += request.body;
  const std::string digest = Query(request, "digest");
  if (DigestOf(bytes) != digest) return Refuse(400, "DIGEST_INVALID");
  repositories_[name].blobs[digest] = bytes;
  uploads_.erase(found);
  return {.status = 201};
}

std::string FakeRegistry::AddBlob(const std::string& repository, const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  const std::string digest = DigestOf(bytes);
  repositories_[repository].blobs[digest] = bytes;
  return digest;
}

std::string FakeRegistry::AddManifest(const std::string& repository, const std::string& tag,
                                      const std::string& media_type, const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  const std::string digest = DigestOf(bytes);
  repositories_[repository].manifests[digest] = {media_type, bytes};
  if (!tag.empty()) repositories_[repository].manifests[tag] = {media_type, bytes};
  return digest;
}

std::optional<std::string> FakeRegistry::blob(const std::string& repository, const std::string& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end() || !found->second.blobs.contains(digest)) return std::nullopt;
  return found->second.blobs.at(digest);
}

std::optional<std::string> FakeRegistry::manifest(const std::string& repository, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end() || !found->second.manifests.contains(name)) return std::nullopt;
  return found->second.manifests.at(name).second;
}

void FakeRegistry::SetHook(Hook hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void FakeRegistry::RequireBasic(const std::string& user, const std::string& password) {
  const std::lock_guard lock(mutex_);
  login_ = Login::kBasic;
  user_ = user;
  password_ = password;
}

void FakeRegistry::RequireBearer(const std::string& user, const std::string& password) {
  const std::lock_guard lock(mutex_);
  login_ = Login::kBearer;
  user_ = user;
  password_ = password;
}

void FakeRegistry::ExpireTokens() {
  const std::lock_guard lock(mutex_);
  ++token_generation_;
}

std::vector<FakeRequest> FakeRegistry::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeRegistry::request_lines() const {
  std::vector<std::string> lines;
  for (const FakeRequest& request : requests()) lines.push_back(StrCat(request.method, " ", request.path));
  return lines;
}

int FakeRegistry::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

}  // namespace hostapp::testing

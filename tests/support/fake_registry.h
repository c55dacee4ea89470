// SPDX-License-Identifier: Apache-2.0
// A registry in this process, on a real loopback socket, that does what a test tells it to.
//
// By itself it is a plain, well-behaved registry with its content in memory. A hook sees every request first and may
// answer it: wrongly, slowly, or with a connection that dies.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "hostapp/base/unique_fd.h"

namespace hostapp::testing {

struct FakeRequest {
  std::string method;
  std::string path;                            // "/v2/team/os/manifests/v1"
  std::string query;                           // without "?"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  bool is(std::string_view wanted_method, std::string_view part_of_path) const {
    return method == wanted_method && path.find(part_of_path) != std::string::npos;
  }
};

struct FakeReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::optional<uint64_t> content_length = {};  // instead of the true one
  bool chunked = false;                         // no length at all
  bool endless = false;                         // the body again and again, until the other side has enough
  std::optional<uint64_t> die_after = {};       // bytes of the body; then the connection is reset
  std::string raw = {};                         // not empty: exactly these bytes, then the connection ends
};

class FakeRegistry {
 public:
  FakeRegistry();
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  // "127.0.0.1:12345"
  std::string host() const;
  std::string url() const { return "http://" + host(); }

  // Content. A blob's digest comes back; a manifest is stored under its digest, and under `tag` if there is one.
  std::string AddBlob(const std::string& repository, const std::string& bytes);
  std::string AddManifest(const std::string& repository, const std::string& tag, const std::string& media_type,
                          const std::string& bytes);
  std::optional<std::string> blob(const std::string& repository, const std::string& digest) const;
  std::optional<std::string> manifest(const std::string& repository, const std::string& name) const;

  using Hook = std::function<std::optional<FakeReply>(const FakeRequest&)>;
  // Called before the registry's own behaviour, from the connection's thread, one call at a time.
  void SetHook(Hook hook);
  // What the registry would answer, for a hook that changes it.
  FakeReply Usual(const FakeRequest& request);

  // From now on everything below /v2/ wants this.
  void RequireBasic(const std::string& user, const std::string& password);
  // A token that /token on this server gives to `user` (to anyone where it is empty).
  void RequireBearer(const std::string& user, const std::string& password);
  void ExpireTokens();

  std::vector<FakeRequest> requests() const;
  // "GET /v2/…" of each, in order.
  std::vector<std::string> request_lines() const;
  int connections() const;

 private:
  struct Repository {
    std::map<std::string, std::string> blobs;
    std::map<std::string, std::pair<std::string, std::string>> manifests;  // name → type, bytes
  };

  void Accept();
  void Serve(int socket);
  bool Answer(int socket, const FakeRequest& request);
  FakeReply UsualLocked(const FakeRequest& request);
  std::optional<FakeReply> CheckLogin(const FakeRequest& request);
  FakeReply Token(const FakeRequest& request);
  FakeReply Blob(const FakeRequest& request, Repository& repository, const std::string& digest);
  FakeReply Manifest(const FakeRequest& request, Repository& repository, const std::string& name);
  FakeReply Upload(const FakeRequest& request, const std::string& name, const std::string& id);

  UniqueFd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::map<std::string, Repository> repositories_;
  std::map<std::string, std::string> uploads_;
  int next_upload_ = 1;
  Hook hook_;
  std::mutex hook_mutex_;
  enum class Login { kNone, kBasic, kBearer } login_ = Login::kNone;
  std::string user_, password_;
  int token_generation_ = 1;
  std::vector<FakeRequest> requests_;
  std::vector<int> sockets_;
  int connections_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace hostapp::testing

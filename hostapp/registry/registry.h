// SPDX-License-Identifier: Apache-2.0
// Images in a registry that speaks the OCI distribution specification (v1.1; Docker's registry v2 too).
//
// Opening costs no request: the first one is FetchTop()'s. Registries on loopback, and those that registries.conf calls
// `insecure`, are spoken to over plain HTTP; all others over TLS only, whatever happens. What is sent to one host
// (credentials, tokens, client certificates) is never sent to another. Everything here is thread-safe: several blobs
// may be on their way at once, each on a connection of its own, and connections are used again.
//
// Connection errors, 408, 429 and 5xx are tried again with growing pauses (ctx.clock.Sleep) and `Retry-After`; a blob
// goes on where it stopped. Errors: kNotFound (404), kUnauthorized (401, 403), kUnavailable (no answer worth the name
// after all attempts, or no registry there at all), kCorrupt (an answer that breaks a rule), kUntrusted (TLS, a
// redirect that goes where it must not), kCancelled.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostapp/oci/blob.h"

namespace hostapp {

class HttpClient;

// What a caller's transfers cost, for `upgrade --check` and for JSON. May be read while transfers run.
struct TransferStats {
  std::atomic<uint64_t> requests = 0;          // answered, or tried in vain; those for authentication are not counted
  std::atomic<uint64_t> auth_requests = 0;     // to token servers, and those answered by "log in first"
  std::atomic<uint64_t> bytes_downloaded = 0;  // of bodies
  std::atomic<uint64_t> bytes_uploaded = 0;
};

// Where the configuration of registries lies on this machine.
struct RegistryPaths {
  std::vector<std::string> auth_files;  // the first that has something for a host decides
  std::string registries_conf;          // empty: none
  std::string registries_conf_dir;      // "*.conf" in it, in order, after registries_conf
  std::vector<std::string> certs_dirs;  // "<dir>/<host[:port]>/{*.crt,*.cert,*.key}"
};

// From the environment, as podman, skopeo and docker have it: REGISTRY_AUTH_FILE alone where it is set, else
// ${XDG_RUNTIME_DIR}/containers/auth.json, root's /run/containers/0/auth.json, ~/.config/containers/auth.json,
// ~/.docker/config.json, and then a device's /etc/hostapp/auth.json.
RegistryPaths DefaultRegistryPaths();

struct RetryPolicy {
  int attempts = 6;  // without progress; one that brings part of a blob begins the count anew
  std::chrono::milliseconds first_pause{500};
  std::chrono::milliseconds longest_pause{30000};  // of our own back-off
  std::chrono::milliseconds longest_retry_after{60000};
  // 0..1, for the jitter of pauses; empty: random.
  std::function<double()> jitter;
};

struct RegistryOptions {
  RegistryPaths paths = DefaultRegistryPaths();
  std::shared_ptr<TransferStats> stats;  // may be null
  std::shared_ptr<HttpClient> http;      // null: libcurl. Share one to share its connections.
  RetryPolicy retry;
  // Writing: repositories of the same registry that may have the blobs already (ImageDestination::TryReuseBlob).
  std::vector<std::string> mount_from;
  uint64_t upload_chunk_bytes = uint64_t{16} << 20;  // larger blobs are sent in pieces of this size
};

// The image that `reference` names. kInvalid when it is no registry's; kCorrupt when a configuration file is broken;
// kUnauthorized when registries.conf blocks it.
Result<std::unique_ptr<ImageSource>> OpenRegistry(const Reference& reference, const RegistryOptions& options,
                                                  OpContext& ctx);

// The same for writing. PutManifest(kYes) uses the reference's tag, "latest" where it has neither tag nor digest.
// Everything is visible and durable, as far as the registry is, when PutManifest() returns; Commit() does nothing.
Result<std::unique_ptr<ImageDestination>> OpenRegistryForWriting(const Reference& reference,
                                                                 const RegistryOptions& options, OpContext& ctx);

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// certs.d, as docker and podman have it: "<dir>/<host[:port]>/" with CAs (*.crt) and a client's *.cert and *.key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hostapp/registry/http.h"

namespace hostapp {

// All CAs of all the folders; the first client certificate. kCorrupt: a certificate without its key, or the reverse.
Result<TlsSettings> LoadTlsSettings(const std::vector<std::string>& certs_dirs, std::string_view host_port);

}  // namespace hostapp

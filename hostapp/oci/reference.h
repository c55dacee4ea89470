// SPDX-License-Identifier: Apache-2.0
// What people write to name an image: docs, "References".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hostapp/oci/digest.h"

namespace hostapp {

// docker://HOST[:PORT]/REPO[:TAG][@DIGEST] (the scheme may be left out), oci:DIR[:TAG], oci-archive:FILE[:TAG].
struct Reference {
  enum class Transport { kRegistry, kLayoutDir, kArchive };

  Transport transport = Transport::kRegistry;
  std::string host;        // registry: "registry.example:5000", as written, lower case; docker.io is its own name here
  std::string repository;  // registry: "team/os"
  std::string path;        // layout directory or archive
  std::string tag;         // empty: none written (a registry's default, "latest", only where there is no digest either)
  std::optional<Digest> digest;

  // The text again, with its scheme; parsing it gives the same reference.
  std::string ToString() const;
  bool operator==(const Reference&) const = default;
};

// kInvalid, with the rule of the distribution specification that the text breaks.
Result<Reference> ParseReference(std::string_view text);

}  // namespace hostapp

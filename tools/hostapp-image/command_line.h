// SPDX-License-Identifier: Apache-2.0
// The command line of hostapp-image, as plain values: what was asked for, nothing done yet.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hostapp/layer/pack.h"
#include "hostapp/lifecycle/make_disk.h"
#include "hostapp/oci/reference.h"
#include "tools/cli/grammar.h"

namespace hostapp::cli {

struct PackVerb {
  Reference destination;
  PackOptions options;  // without the base's source, which is opened later
  std::optional<Reference> base;
};
struct CopyVerb {
  Reference source;
  Reference destination;
};
struct InspectVerb {
  Reference reference;
};

struct DiskVerb {
  Reference reference;
  DiskOptions options;  // without the settings, which are read later
  SettingsFiles settings;
};

// One of the two: an image, or a file with a tree written down.
struct ComposefsDigestVerb {
  std::optional<Reference> reference;
  std::optional<std::string> dump;
  std::optional<int> format;  // of the dump's image; nothing: the oldest that says all of it
};

using ImageVerb = std::variant<PackVerb, CopyVerb, InspectVerb, DiskVerb, ComposefsDigestVerb>;

struct ImageCommandLine {
  CommonOptions common;
  ImageVerb verb;
};

// `arguments`: without the program's name. kInvalid, in words that name the argument.
Result<std::variant<ImageCommandLine, HelpText>> ParseImageCommandLine(std::vector<std::string> arguments);

}  // namespace hostapp::cli

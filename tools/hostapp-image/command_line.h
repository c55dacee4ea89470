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

using ImageVerb = std::variant<PackVerb, CopyVerb, InspectVerb, DiskVerb>;

struct ImageCommandLine {
  CommonOptions common;
  ImageVerb verb;
};

// `arguments`: without the program's name. kInvalid, in words that name the argument.
Result<std::variant<ImageCommandLine, HelpText>> ParseImageCommandLine(std::vector<std::string> arguments);

}  // namespace hostapp::cli

// SPDX-License-Identifier: Apache-2.0
// The texts that a device's settings are made of (device_settings.h). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp {

// The public keys in a file, one a line: TYPE BASE64 [COMMENT]. Empty lines and those that begin with '#' are left out.
// kInvalid, with the line's number: a private key, options, an unknown type, what is no such key; no key at all.
Result<std::vector<std::string>> ParseSshKeys(std::string_view text);

// One line as `openssl passwd -6` or `mkpasswd` prints it: yescrypt, scrypt, bcrypt, SHA-512 or SHA-256 of crypt(5).
// kInvalid, never with the text, which may be a password.
Result<std::string> ParsePasswordHash(std::string_view text);

// An /etc/shadow with this hash as root's password; nothing without a line of root's.
std::optional<std::string> WithRootPassword(std::string_view shadow, const std::string& hash);

}  // namespace hostapp

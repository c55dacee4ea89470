// SPDX-License-Identifier: Apache-2.0
// Names of extended attributes that mean something to overlayfs (docs.kernel.org/filesystems/overlayfs.html). What an
// image's own files have of them is escaped by one more "overlay.", which overlayfs takes off again.
#pragma once

#include <string_view>

namespace hostapp::composefs {

inline constexpr std::string_view kOverlayPrefix = "trusted.overlay.";
inline constexpr std::string_view kEscapedOverlayPrefix = "trusted.overlay.overlay.";

inline constexpr std::string_view kMetacopy = "trusted.overlay.metacopy";
inline constexpr std::string_view kRedirect = "trusted.overlay.redirect";
inline constexpr std::string_view kOpaque = "trusted.overlay.opaque";

// A file that is a whiteout to the overlayfs that is mounted over the image, and its folder: for mounts by root, and
// for those with `userxattr`.
inline constexpr std::string_view kEscapedWhiteout = "trusted.overlay.overlay.whiteout";
inline constexpr std::string_view kUserWhiteout = "user.overlay.whiteout";
inline constexpr std::string_view kEscapedWhiteouts = "trusted.overlay.overlay.whiteouts";
inline constexpr std::string_view kUserWhiteouts = "user.overlay.whiteouts";
// Value "x", from format version 1 on: how Linux 6.8 and newer find folders with whiteouts.
inline constexpr std::string_view kEscapedOpaque = "trusted.overlay.overlay.opaque";
inline constexpr std::string_view kUserOpaque = "user.overlay.opaque";

}  // namespace hostapp::composefs

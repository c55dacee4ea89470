// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/loader.h"

#include <array>
#include <utility>

#include "ostree-integration/deploy/loaders/grub.h"
#include "ostree-integration/deploy/loaders/none.h"
#include "ostree-integration/deploy/loaders/systemd_boot.h"
#include "ostree-integration/deploy/loaders/uboot.h"

namespace hostapp {
namespace {

constexpr std::array kNames = {std::pair(LoaderKind::kNone, "none"), std::pair(LoaderKind::kGrub, "grub"),
                               std::pair(LoaderKind::kSystemdBoot, "systemd-boot"),
                               std::pair(LoaderKind::kUboot, "uboot")};

}  // namespace

std::string_view LoaderName(LoaderKind kind) {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "none";
}

std::optional<LoaderKind> ParseLoaderName(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::unique_ptr<Loader> MakeLoader(LoaderKind kind, int boot) {
  switch (kind) {
    case LoaderKind::kGrub:
      return std::make_unique<GrubLoader>(boot);
    case LoaderKind::kSystemdBoot:
      return std::make_unique<SystemdBootLoader>(boot);
    case LoaderKind::kUboot:
      return std::make_unique<UbootLoader>(boot);
    case LoaderKind::kNone:
      break;
  }
  return std::make_unique<NoLoader>();
}

}  // namespace hostapp

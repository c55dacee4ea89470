// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/store_config.h"

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/glib/error.h"
#include "ostree-integration/glib/handles.h"

namespace hostapp {
namespace {

constexpr const char* kName = "config";
constexpr uint64_t kMaxStoreConfigBytes = 64 << 10;
constexpr const char* kVersion = "1";

struct ConfigKey {
  const char* name;
  const char* value;
};
// min-free-space: libostree's own check (3 % by default) refuses in the middle of an import; here all space is planned
// before the first byte, with the numbers in the error.
// lock-timeout-secs: an `ostree prune` by hand is waited for, but not five minutes.
constexpr ConfigKey kConfig[] = {
    {"min-free-space-percent", "0"}, {"locking", "true"}, {"lock-timeout-secs", "30"}, {"fsync", "true"}};

// Whether anything had another value.
bool SetValues(GKeyFile* config) {
  bool changed = false;
  for (const ConfigKey& key : kConfig) {
    const glib::StringPtr old(g_key_file_get_string(config, "core", key.name, nullptr));
    if (old && std::string_view(old.get()) == key.value) continue;
    g_key_file_set_string(config, "core", key.name, key.value);
    changed = true;
  }
  return changed;
}

}  // namespace

Result<std::string> ReadMode(int repo_dir) {
  const Result<std::string> text = ReadFile(repo_dir, kName, kMaxStoreConfigBytes);
  if (!text.ok() && text.error().code() == Errc::kNotFound) return Error(Errc::kCorrupt, "its config is missing");
  if (!text.ok()) return text.error();
  const glib::KeyFilePtr config(g_key_file_new());
  glib::ErrorSlot error;
  if (!g_key_file_load_from_data(config.get(), text->data(), text->size(), G_KEY_FILE_NONE, error)) {
    return error.Take(Errc::kCorrupt).Prefix("its config");
  }
  const glib::StringPtr version(g_key_file_get_string(config.get(), "core", "repo_version", nullptr));
  const glib::StringPtr mode(g_key_file_get_string(config.get(), "core", "mode", nullptr));
  OstreeRepoMode known{};
  if (!version || std::string_view(version.get()) != kVersion || !mode ||
      !ostree_repo_mode_from_string(mode.get(), &known, nullptr)) {
    return Error(Errc::kCorrupt, "its config is damaged: there is no known version and mode in it");
  }
  return std::string(mode.get());
}

Status CheckMode(std::string_view mode) {
  if (mode == "bare") return Ok();
  return Error(Errc::kCorrupt, "ostree/repo is a repository of another mode than bare; deployments need bare");
}

Status SetConfig(OstreeRepo* repo) {
  const glib::KeyFilePtr config(ostree_repo_copy_config(repo));
  if (!SetValues(config.get())) return Ok();
  glib::ErrorSlot error;
  if (!ostree_repo_write_config(repo, config.get(), error)) return error.Take();
  return Ok();
}

Status ReplaceConfig(int repo_dir, bool verity, OpContext& ctx) {
  const glib::KeyFilePtr config(g_key_file_new());
  g_key_file_set_string(config.get(), "core", "repo_version", kVersion);
  g_key_file_set_string(config.get(), "core", "mode", "bare");
  (void)SetValues(config.get());
  if (verity) g_key_file_set_boolean(config.get(), kOurGroup, kVerityKey, TRUE);
  gsize size = 0;
  const glib::StringPtr text(g_key_file_to_data(config.get(), &size, nullptr));
  TRY(RemoveFolder(repo_dir, kName, ctx.sys));
  return ReplaceFile(repo_dir, kName, AsBytes({text.get(), size}), 0644, ctx.sys);
}

Status RemoveUnfinishedConfig(int repo_dir, OpContext& ctx) {
  constexpr std::string_view kPattern = "tmp.XXXXXX";
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(repo_dir, "."));
  for (const std::string& name : names) {
    if (name.starts_with("tmp.") && name.size() == kPattern.size()) TRY(RemoveFile(repo_dir, name, ctx.sys));
  }
  return Ok();
}

}  // namespace hostapp

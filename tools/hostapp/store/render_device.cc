// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/strings.h"
#include "tools/hostapp/store/render.h"

namespace hostapp::cli {

Outcome RenderFactoryReset(const std::vector<std::string>& kept) {
  Json::Array keep;
  std::string text = "at the next boot /var and the changes to /etc begin again from the image";
  text += kept.empty() ? "; nothing is kept\n" : "; kept are:\n";
  for (const std::string& path : kept) {
    keep.push_back(path);
    text += StrCat("  ", Escape(path), "\n");
  }
  return {.document = Json::Object{{"pending", "factory-reset"}, {"keep", std::move(keep)}}, .text = std::move(text)};
}

Outcome RenderNoFactoryReset() {
  return {.document = Json::Object{{"pending", Json()}, {"keep", Json::Array{}}},
          .text = "the factory reset will not be done\n"};
}

Outcome RenderEtcDiff(DeploymentSerial serial, const std::vector<EtcChange>& changes) {
  using Kind = EtcChange::Kind;
  Json::Array list;
  std::string text;
  for (const EtcChange& change : changes) {
    const bool added = change.kind == Kind::kAdded;
    const bool removed = change.kind == Kind::kRemoved;
    list.push_back(Json::Object{{"kind", added ? "added" : removed ? "removed" : "modified"}, {"path", change.path}});
    text += StrCat(added ? "A " : removed ? "D " : "M ", Escape(change.path), "\n");
  }
  return {.document = Json::Object{{"serial", serial}, {"changes", std::move(list)}},
          .text = std::move(text),
          .kind = Outcome::Kind::kAnswer};
}

Outcome RenderLoaderUpdate(const LoaderUpdate& update) {
  Json::Object document = {{"loader", LoaderName(update.loader)},
                           {"changed", update.changed},
                           {"path", update.path},
                           {"program", StrCat("sha256:", update.program.Hex())}};
  std::string text =
      StrCat(LoaderName(update.loader), update.changed ? ": updated " : ": up to date, ", update.path, "\n");
  return {.document = std::move(document), .text = std::move(text)};
}

}  // namespace hostapp::cli

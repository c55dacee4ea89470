// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/strings.h"
#include "tools/hostapp/store/render.h"

namespace hostapp::cli {

Outcome RenderInstall(const InstallReport& report, const std::string& disk) {
  const std::string digest = report.manifest_digest.ToString();
  Json::Array partitions;
  std::string text =
      StrCat("installed on ", Escape(disk), ", a disk of ", HumanBytes(report.plan.bytes), "\n", digest, "\n");
  if (!report.root.reason.empty()) text += StrCat(report.root.reason, "\n");
  for (const PlannedPartition& planned : report.plan.partitions) {
    const GptPartition& partition = planned.partition;
    partitions.push_back(Json::Object{{"name", partition.name},
                                      {"type", partition.type.ToString()},
                                      {"partuuid", partition.id.ToString()},
                                      {"uuid", planned.uuid.ToString()},
                                      {"offset", partition.offset},
                                      {"bytes", partition.bytes}});
    text += StrCat("partition ", partitions.size(), ": ", partition.name, ", ", HumanBytes(partition.bytes),
                   ", PARTUUID=", partition.id.ToString(), "\n");
  }
  return {.document = Json::Object{{"disk", disk},
                                   {"manifest_digest", digest},
                                   {"serial", report.serial},
                                   {"root", RootName(report.root.kind)},
                                   {"root_reason", TextOrNull(report.root.reason)},
                                   {"loader", LoaderName(report.loader)},
                                   {"file_system", FileSystemName(report.file_system)},
                                   {"bytes", report.plan.bytes},
                                   {"partitions", std::move(partitions)}},
          .text = std::move(text)};
}

Outcome RenderGrow(const GrowReport& report) {
  std::string text = report.changed ? StrCat("the root file system has grown from ", HumanBytes(report.bytes_before),
                                             " to ", HumanBytes(report.bytes), "\n")
                                    : StrCat("the root file system stays as it is, ", HumanBytes(report.bytes), ": ",
                                             report.reason, "\n");
  return {.document = Json::Object{{"changed", report.changed},
                                   {"reason", TextOrNull(report.reason)},
                                   {"device", TextOrNull(report.device)},
                                   {"bytes", Json::Object{{"before", report.bytes_before}, {"now", report.bytes}}}},
          .text = std::move(text)};
}

}  // namespace hostapp::cli

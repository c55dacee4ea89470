// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/contents.h"

#include <fcntl.h>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

void AppendBigEndian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::string TextOf(std::span<const ObjectSize> objects) {
  std::string text(kContentsMagic);
  text.reserve(text.size() + objects.size() * kContentsRecordBytes);
  for (const ObjectSize& object : objects) {
    AppendBigEndian(ReadContentsNumber(object.object.data()), text);
    AppendBigEndian(object.size, text);
  }
  return text;
}

}  // namespace

Status WriteContents(int deployment_dir, std::span<const ObjectSize> objects, OpContext& ctx) {
  const UniqueFd file(ctx.sys.OpenAt(deployment_dir, kContentsName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!file.valid()) return SysError(-file.get(), "creating the list of contents");
  return FileSink(file.get(), ctx.sys).Write(AsBytes(TextOf(objects))).While("writing the list of contents");
}

Result<std::optional<TreeProblem>> CheckContents(const Sysroot& sysroot, const ImageStore& store,
                                                 const Deployment& deployment, TreeRepair repair, OpContext& ctx) {
  const Result<ImageTree> tree = ImageTree::Load(store, deployment.manifest_digest, ctx);
  if (!tree.ok()) return std::optional<TreeProblem>();
  const std::string expected = TextOf(tree->Objects());
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, deployment.serial, ctx));
  const Result<std::string> found = ReadFile(dir.get(), kContentsName, expected.size());
  if (found.ok() && *found == expected) return std::optional<TreeProblem>();
  TreeProblem problem{.path = kContentsName, .what = "it is not the list of what the tree needs"};
  if (repair == TreeRepair::kYes) {
    TRY(ReplaceFile(dir.get(), kContentsName, AsBytes(expected), 0644, ctx.sys));
    problem.repaired = true;
  }
  return std::optional(std::move(problem));
}

}  // namespace hostapp

// SPDX-License-Identifier: Apache-2.0
// A sysroot with a store, and tiny images brought into it.
#pragma once

#include <string>

#include "hostapp/oci/layout.h"
#include "ostree-integration/store/import.h"
#include "ostree-integration/store/merge.h"
#include "tests/support/test_sysroot.h"
#include "tests/support/tiny_image.h"

namespace hostapp::testing {

class TestSysrootWithStore : public TestSysroot {
 public:
  TestSysrootWithStore() { CHECK(ImageStore::Create(Open().root(), ctx()).ok()); }

  ImageStore OpenStore() { return ImageStore::Open(Open().root(), ctx()).value(); }
  std::string images() const { return dir() / "images"; }
  std::string ReferenceText(const std::string& tag) const { return StrCat("oci:", images(), ":", tag); }

  // The commit of the image's merged tree.
  Result<std::string> Import(const TinyImage& image) {
    WriteTinyImage(images(), "import", image);
    const Reference reference = ParseReference(ReferenceText("import")).value();
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenLayoutDir(reference, ctx()));
    ASSIGN_OR_RETURN(const ResolvedImage resolved, ResolveImage(reference, *source, HostPlatform(), ctx()));
    ASSIGN_OR_RETURN(std::string config, FetchSmallBlob(resolved.manifest.config, kMaxConfigBytes, *source, ctx()));
    ASSIGN_OR_RETURN(const ImageConfig parsed, ParseImageConfig(std::move(config), resolved.manifest.layers.size()));
    ImageStore store = OpenStore();
    TRY(ImportImage(store, resolved.manifest, parsed, *source, ctx()).status());
    return MergeImage(store, resolved.manifest, parsed, ctx());
  }
};

// The real system calls, but a file system that has only so much room.
class FullDisk : public Syscalls {
 public:
  FullDisk(uint64_t bytes, uint64_t inodes) : bytes_(bytes), inodes_(inodes) {}
  int Fstatvfs(int fd, struct statvfs* out) override {
    const int result = Syscalls::Fstatvfs(fd, out);
    out->f_frsize = 1;
    out->f_bavail = bytes_;
    out->f_favail = inodes_;
    out->f_files = inodes_ + 100;
    return result;
  }

 private:
  uint64_t bytes_;
  uint64_t inodes_;
};

}  // namespace hostapp::testing

// SPDX-License-Identifier: Apache-2.0
// Where a stream of bytes ends: in memory, or in an open file.
#pragma once

#include <string>

#include "hostapp/base/bytes.h"
#include "hostapp/base/durable.h"
#include "hostapp/base/result.h"

namespace hostapp {

// For what is known to be small: nothing bounds it.
class StringSink : public ByteSink {
 public:
  Status Write(ByteSpan bytes) override {
    text.append(AsText(bytes));
    return Ok();
  }
  std::string text;
};

// At the file's own offset; durable when the owner of `file` makes it so.
class FileSink : public ByteSink {
 public:
  FileSink(int file, Syscalls& sys) : file_(file), sys_(sys) {}
  Status Write(ByteSpan bytes) override { return WriteAll(file_, bytes, sys_); }

 private:
  int file_;
  Syscalls& sys_;
};

}  // namespace hostapp

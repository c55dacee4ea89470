// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/console.h"

#include <fcntl.h>
#include <unistd.h>

namespace hostapp::initramfs {

void Console::Open() { kmsg_ = OpenAt(AT_FDCWD, "/dev/kmsg", O_WRONLY); }

// One write a record: /dev/kmsg takes each as a line of its own. Bytes that could steer a terminal come from names in
// an image and are not passed on.
void Console::Write(std::string_view priority, std::string_view line) {
  Text<1000> record;
  if (kmsg_.ok()) record.Append(priority);
  record.Append("hostapp-init: ");
  for (const char c : line) {
    const bool printable = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    record.Append(printable ? std::string_view(&c, 1) : "?");
  }
  record.Append("\n");
  WriteAll(kmsg_.ok() ? kmsg_.get() : STDERR_FILENO, record.view());
}

}  // namespace hostapp::initramfs

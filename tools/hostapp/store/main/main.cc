// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "tools/cli/process.h"
#include "tools/hostapp/store/run_store.h"

// Nothing of ours throws; what a library or the allocator throws ends here, as an error and not as an abort.
int main(int argc, char** argv) try {
  hostapp::cli::SanitizeProcess();
  return hostapp::cli::RunStoreProgram(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
} catch (const std::bad_alloc&) {
  std::fputs("hostapp: out of memory\n", stderr);
  return 1;
} catch (const std::exception& exception) {
  std::fprintf(stderr, "hostapp: bug: %s; please report it\n", exception.what());
  return 70;
}

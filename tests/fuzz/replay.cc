// SPDX-License-Identifier: Apache-2.0
// Runs a fuzzing harness over the files of its corpus, and over each of them cut short at a few places, without a
// fuzzer.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::cerr << "usage: replay CORPUS-DIRECTORY\n";
    return 2;
  }
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    LLVMFuzzerTestOneInput(data, bytes.size());
    const size_t step = std::max<size_t>(1, bytes.size() / 64);
    for (size_t cut = 0; cut < bytes.size(); cut += step) {
      const std::vector<uint8_t> prefix(data, data + cut);  // a buffer of its own: reading beyond it is seen
      LLVMFuzzerTestOneInput(prefix.data(), prefix.size());
    }
    files++;
  }
  std::cout << files << " inputs\n";
  return files > 0 ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// Equal things get equal numbers: how an extended attribute that thousands of files have is kept once, and known to be
// shared without comparing it again.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ostree-integration/composefs/arena.h"

namespace hostapp::composefs {

// Numbers pairs of a tag and bytes, from 0 in the order of their first coming.
class Interner {
 public:
  uint32_t Intern(uint32_t tag, std::string_view bytes);  // `bytes`: at most Arena::kMaxPiece

  uint32_t tag(uint32_t id) const { return things_[id].tag; }
  std::string_view bytes(uint32_t id) const { return arena_.At(things_[id].place, things_[id].size); }
  size_t size() const { return things_.size(); }
  bool full() const { return arena_.full(); }

 private:
  struct Thing {
    uint32_t tag = 0;
    uint32_t place = 0;
    uint32_t size = 0;
    uint32_t hash = 0;
  };

  void Grow();

  Arena arena_;
  std::vector<Thing> things_;
  std::vector<uint32_t> slots_;  // ids plus one, each at its hash or the next free slot; at most three quarters in use
};

}  // namespace hostapp::composefs

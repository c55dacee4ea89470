// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/interner.h"

#include <functional>

namespace hostapp::composefs {
namespace {

uint32_t HashOf(uint32_t tag, std::string_view bytes) {
  const uint64_t hash = std::hash<std::string_view>()(bytes) ^ (tag * uint64_t{0x9E3779B97F4A7C15});
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

uint32_t Interner::Intern(uint32_t tag, std::string_view bytes) {
  if (4 * things_.size() >= 3 * slots_.size()) Grow();
  const uint32_t hash = HashOf(tag, bytes);
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const uint32_t id = slots_[slot] - 1;
    const Thing& thing = things_[id];
    if (thing.hash == hash && thing.tag == tag && this->bytes(id) == bytes) return id;
  }
  things_.push_back(
      {.tag = tag, .place = arena_.Add(bytes), .size = static_cast<uint32_t>(bytes.size()), .hash = hash});
  slots_[slot] = static_cast<uint32_t>(things_.size());
  return static_cast<uint32_t>(things_.size() - 1);
}

void Interner::Grow() {
  const size_t slots = slots_.empty() ? 64 : 2 * slots_.size();
  slots_ = {};  // before the larger one is there: the things know their hashes
  slots_.resize(slots);
  for (uint32_t id = 0; id < things_.size(); ++id) {
    size_t slot = things_[id].hash & (slots - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = id + 1;
  }
}

}  // namespace hostapp::composefs

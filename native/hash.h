// A fast hash of 64-bit words, for tables in memory only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vires {

inline uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15u) *
                                    (b ^ 0xd6e8feb86659fd93u);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_words(const uint64_t* words, size_t count) {
  uint64_t hash = count;
  for (size_t i = 0; i < count; ++i) hash = mix(hash, words[i]);
  return hash;
}

}  // namespace vires

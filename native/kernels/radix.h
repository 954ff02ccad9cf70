// Stable least-significant-digit radix sort of one line of keys, with or without a payload of indices.
//
// Each pass counts digits for each chunk of the line, turns the counts into positions, and moves
// elements. The chunks depend on the length alone, so threads do not change the result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime.h"

namespace vires::sorting {

constexpr int64_t kSmall = 128;          // below: insertion sort
constexpr int64_t kSerial = 1 << 16;     // below: one chunk
constexpr int kDigitBits = 11;
constexpr int64_t kDigits = 1 << kDigitBits;
constexpr int64_t kMostChunks = 16;

template <typename Key, bool indexed>
struct Line {
  Key* keys;
  Key* other_keys;
  uint32_t* indices;        // null unless indexed
  uint32_t* other_indices;  // null unless indexed
  int64_t n;

  void swap() {
    std::swap(keys, other_keys);
    std::swap(indices, other_indices);
  }
};

template <typename Key, bool indexed>
void insertion_sort(Line<Key, indexed>& line, int first_bit) {
  for (int64_t i = 1; i < line.n; ++i) {
    const Key key = line.keys[i];
    const uint32_t index = indexed ? line.indices[i] : 0;
    int64_t j = i;
    for (; j > 0 && line.keys[j - 1] >> first_bit > key >> first_bit; --j) {
      line.keys[j] = line.keys[j - 1];
      if constexpr (indexed) line.indices[j] = line.indices[j - 1];
    }
    line.keys[j] = key;
    if constexpr (indexed) line.indices[j] = index;
  }
}

template <typename Key, bool indexed>
struct Pass {
  Line<Key, indexed>* line;
  int shift;
  int64_t digits, chunk, chunks;
  int64_t* counts;  // [chunks][digits]
};

template <typename Key, bool indexed>
void count_chunk(void* context, int64_t c) {
  auto& pass = *static_cast<Pass<Key, indexed>*>(context);
  int64_t* counts = pass.counts + c * pass.digits;
  std::fill(counts, counts + pass.digits, 0);
  const Key mask = static_cast<Key>(pass.digits - 1);
  const int64_t end = std::min(pass.line->n, (c + 1) * pass.chunk);
  for (int64_t i = c * pass.chunk; i < end; ++i) ++counts[(pass.line->keys[i] >> pass.shift) & mask];
}

template <typename Key, bool indexed>
void move_chunk(void* context, int64_t c) {
  auto& pass = *static_cast<Pass<Key, indexed>*>(context);
  auto& line = *pass.line;
  int64_t* place = pass.counts + c * pass.digits;
  const Key mask = static_cast<Key>(pass.digits - 1);
  const int64_t end = std::min(line.n, (c + 1) * pass.chunk);
  for (int64_t i = c * pass.chunk; i < end; ++i) {
    const Key key = line.keys[i];
    const int64_t to = place[(key >> pass.shift) & mask]++;
    line.other_keys[to] = key;
    if constexpr (indexed) line.other_indices[to] = line.indices[i];
  }
}

// Sorts the line by the bits of its keys from `first_bit` on; the result is in line.keys and line.indices (the buffers may have changed places).
template <typename Key, bool indexed>
void radix_sort(Runtime* runtime, Line<Key, indexed>& line, int first_bit = 0) {
  if (line.n <= kSmall) return insertion_sort(line, first_bit);
  constexpr int bits = 8 * sizeof(Key);
  // Short lines take small digits: clearing the counts must not cost more than moving the elements.
  // So do words of keys and what they carry, which would fill the first cache with their places.
  const int width = line.n < 4096 || first_bit ? std::min(8, bits) : std::min(kDigitBits, bits);
  Pass<Key, indexed> pass{&line, 0, int64_t{1} << width, line.n, 1, nullptr};
  if (runtime && line.n >= kSerial) {
    pass.chunks = std::min(kMostChunks, line.n / (kSerial / 2));
    pass.chunk = (line.n + pass.chunks - 1) / pass.chunks;
  }
  const auto counts = std::make_unique<int64_t[]>(static_cast<size_t>(pass.chunks * pass.digits));
  pass.counts = counts.get();
  const auto each = [&](void (*task)(void*, int64_t)) {
    if (pass.chunks == 1) return task(&pass, 0);
    runtime->parallel_for(runtime, task, &pass, pass.chunks);
  };
  for (int shift = first_bit; shift < bits; shift += width) {
    pass.shift = shift;
    each(count_chunk<Key, indexed>);
    if (runtime && runtime->stop) return;
    int64_t position = 0, largest = 0;
    for (int64_t digit = 0; digit < pass.digits; ++digit) {
      const int64_t before = position;
      for (int64_t c = 0; c < pass.chunks; ++c) {
        int64_t& count = pass.counts[c * pass.digits + digit];
        const int64_t number = count;
        count = position;
        position += number;
      }
      largest = std::max(largest, position - before);
    }
    if (largest == line.n) continue;  // one digit everywhere: nothing moves
    each(move_chunk<Key, indexed>);
    if (runtime && runtime->stop) return;
    line.swap();
  }
}

}  // namespace vires::sorting

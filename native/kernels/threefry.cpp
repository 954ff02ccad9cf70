// Streams of random bits: Threefry 2x32 (20 rounds) of the 64-bit positions of a stream.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "clones.h"
#include "runtime.h"
#include "symbols.h"

namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kTask = 1 << 14;  // positions

enum Kind : int64_t { kWords8 = 8, kWords16 = 16, kWords32 = 32, kWords64 = 64, kKeys = 1 };

constexpr int kHalf = kLanes / 2;
typedef uint32_t Lanes __attribute__((vector_size(4 * kHalf)));

// Two vectors of positions side by side, so that the rounds of one fill the waits of the other.
struct Pair {
  Lanes x, y, u, v;
};

// Encrypts (x, y) and (u, v) in place; every lane has the same key.
[[gnu::always_inline]] inline void encrypt(uint32_t key0, uint32_t key1, Pair& p) {
  const uint32_t keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
  constexpr int distances[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  p.x += keys[0];
  p.y += keys[1];
  p.u += keys[0];
  p.v += keys[1];
#pragma GCC unroll 5
  for (int step = 0; step < 5; ++step) {
#pragma GCC unroll 4
    for (int round = 0; round < 4; ++round) {
      const int distance = distances[step % 2][round];
      p.x += p.y;
      p.u += p.v;
      p.y = ((p.y << distance) | (p.y >> (32 - distance))) ^ p.x;
      p.v = ((p.v << distance) | (p.v >> (32 - distance))) ^ p.u;
    }
    const uint32_t first = keys[(step + 1) % 3];
    const uint32_t second = keys[(step + 2) % 3] + static_cast<uint32_t>(step + 1);
    p.x += first;
    p.y += second;
    p.u += first;
    p.v += second;
  }
}

template <Kind kind, class T>
VIRES_CLONES void stream(uint64_t key, int64_t first, int64_t last, T* out) {
  const Lanes places = {0, 1, 2, 3, 4, 5, 6, 7};
  for (int64_t start = first; start < last; start += kLanes) {
    const uint64_t position = static_cast<uint64_t>(start);
    const uint32_t low = static_cast<uint32_t>(position);
    const Lanes high = static_cast<uint32_t>(position >> 32) - Lanes{};
    Pair p = {high, low + places, high, low + kHalf + places};
    // Positions count on in the high word where the low one begins anew.
    p.u -= reinterpret_cast<Lanes>(p.v < low);
    p.x -= reinterpret_cast<Lanes>(p.y < low);
    encrypt(static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), p);
    T values[kLanes];
    if constexpr (kind == kWords32) {
      const Lanes left = p.x ^ p.y, right = p.u ^ p.v;
      std::memcpy(values, &left, sizeof left);
      std::memcpy(values + kHalf, &right, sizeof right);
    } else {
      uint32_t a[kLanes], b[kLanes];
      std::memcpy(a, &p.x, sizeof p.x);
      std::memcpy(a + kHalf, &p.u, sizeof p.u);
      std::memcpy(b, &p.y, sizeof p.y);
      std::memcpy(b + kHalf, &p.v, sizeof p.v);
      for (int64_t k = 0; k < kLanes; ++k) {
        if constexpr (kind == kKeys) {
          values[k] = a[k] | static_cast<uint64_t>(b[k]) << 32;
        } else if constexpr (kind == kWords64) {
          values[k] = static_cast<uint64_t>(a[k]) << 32 | b[k];
        } else {
          values[k] = static_cast<T>(a[k] ^ b[k]);
        }
      }
    }
    const int64_t count = last - start < kLanes ? last - start : kLanes;
    std::memcpy(out + start, values, static_cast<size_t>(count) * sizeof(T));
  }
}

template <Kind kind, class T>
struct Job {
  const uint64_t* keys;
  int64_t positions, tasks_per_key;
  T* out;

  static void task(void* context, int64_t index) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t key = index / job.tasks_per_key, first = index % job.tasks_per_key * kTask;
    stream<kind>(job.keys[key], first, std::min(job.positions, first + kTask),
                 job.out + key * job.positions);
  }
};

template <Kind kind, class T>
void run(Runtime* runtime, int64_t keys, int64_t positions, void** inputs, void** outputs) {
  if (keys == 0 || positions == 0) return;
  Job<kind, T> job{static_cast<const uint64_t*>(inputs[0]), positions,
                   (positions + kTask - 1) / kTask, static_cast<T*>(outputs[0])};
  const int64_t tasks = keys * job.tasks_per_key;
  if (keys * positions < 4 * kTask) {
    for (int64_t i = 0; i < tasks; ++i) Job<kind, T>::task(&job, i);
  } else {
    runtime->parallel_for(runtime, Job<kind, T>::task, &job, tasks);
  }
}

}  // namespace

extern "C" {

// args: kind (bits of a word, or 1 for keys), number of keys, positions of the stream of each.
// keys -> words [keys, positions].
int32_t vires_random_bits(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  switch (args[0]) {
    case kWords8: run<kWords8, uint8_t>(runtime, args[1], args[2], inputs, outputs); break;
    case kWords16: run<kWords16, uint16_t>(runtime, args[1], args[2], inputs, outputs); break;
    case kWords32: run<kWords32, uint32_t>(runtime, args[1], args[2], inputs, outputs); break;
    case kWords64: run<kWords64, uint64_t>(runtime, args[1], args[2], inputs, outputs); break;
    default: run<kKeys, uint64_t>(runtime, args[1], args[2], inputs, outputs); break;
  }
  return 0;
}

// args: number of keys. keys, uint32 data -> keys.
int32_t vires_random_fold_in(Runtime* runtime, const int64_t* args, void** inputs,
                             void** outputs) {
  const auto* keys = static_cast<const uint64_t*>(inputs[0]);
  const auto* data = static_cast<const uint32_t*>(inputs[1]);
  auto* out = static_cast<uint64_t*>(outputs[0]);
  for (int64_t i = 0; i < args[0]; ++i)
    stream<kKeys>(keys[i], data[i], static_cast<int64_t>(data[i]) + 1, out + i - data[i]);
  return 0;
}

}

VIRES_SYMBOL(vires_random_bits)
VIRES_SYMBOL(vires_random_fold_in)

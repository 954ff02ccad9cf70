// Sorting along an axis: values alone, or several operands moved along by one or more keys. Stable.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "pool.h"
#include "radix.h"
#include "runtime.h"
#include "sort_keys.h"
#include "symbols.h"

namespace {

using namespace vires::sorting;

// Operands seen as [outer, n, inner]; each (outer, inner) is one line.
struct Job {
  Runtime* runtime;
  int64_t n, inner;
  int64_t count, num_keys;
  const int32_t* codes;
  const int64_t* itemsizes;
  void** inputs;
  void** outputs;
  std::atomic<bool> failed{false};
};

int64_t line_start(const Job& job, int64_t line) {
  return (line / job.inner) * job.n * job.inner + line % job.inner;
}

struct Release {
  size_t bytes;
  void operator()(void* block) const { vires::pool::release(block, bytes); }
};

template <typename T>
std::unique_ptr<T[], Release> array(int64_t n) {
  const size_t bytes = static_cast<size_t>(n) * sizeof(T);
  return {static_cast<T*>(vires::pool::allocate(bytes)), Release{bytes}};
}

// The one operand by its own order: keys that lead back to the values; nans go to the end as they are.
template <typename Key>
void sort_values(Job& job, int64_t line, Runtime* runtime) {
  const KeyType type = key_type(job.codes[0]);
  const auto* in = static_cast<const Key*>(job.inputs[0]) + line_start(job, line);
  auto* out = static_cast<Key*>(job.outputs[0]) + line_start(job, line);
  const int64_t step = job.inner;
  constexpr Key sign = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1));
  auto keys = array<Key>(job.n), other = array<Key>(job.n);
  std::vector<Key> nans;
  if (!keys || !other) {
    job.failed = true;
    return;
  }
  int64_t found = 0;
  const auto exponent = static_cast<Key>(type.exponent);
  for (int64_t i = 0; i < job.n; ++i) {
    const Key x = in[i * step];
    if (type.order == Order::from_float) {
      if (static_cast<Key>(x & ~sign) > exponent) {
        nans.push_back(x);
        continue;
      }
      keys[found++] = static_cast<Key>(x & sign ? ~x : x | sign);
    } else {
      keys[found++] = ordered<Key>(x, type);
    }
  }
  Line<Key, false> sorted{keys.get(), other.get(), nullptr, nullptr, found};
  radix_sort(runtime, sorted);
  for (int64_t i = 0; i < found; ++i) {
    const Key x = sorted.keys[i];
    // Flipping the sign of an integer twice gives it back.
    out[i * step] = type.order == Order::from_float
                        ? static_cast<Key>(x & sign ? x ^ sign : ~x)
                        : ordered<Key>(x, type);
  }
  for (size_t i = 0; i < nans.size(); ++i) out[(found + static_cast<int64_t>(i)) * step] = nans[i];
}

// One pass of the order: by one key operand, in the order that `indices` gives so far.
template <typename Key>
bool order_by(Job& job, int64_t line, int64_t operand, bool first, Runtime* runtime, uint32_t*& indices,
              uint32_t*& other_indices) {
  const KeyType type = key_type(job.codes[operand]);
  const auto* in = static_cast<const Key*>(job.inputs[operand]) + line_start(job, line);
  auto keys = array<Key>(job.n), other = array<Key>(job.n);
  if (!keys || !other) return false;
  for (int64_t i = 0; i < job.n; ++i)
    keys[i] = ordered<Key>(in[(first ? i : int64_t{indices[i]}) * job.inner], type);
  Line<Key, true> sorted{keys.get(), other.get(), indices, other_indices, job.n};
  radix_sort(runtime, sorted);
  indices = sorted.indices;
  other_indices = sorted.other_indices;
  return true;
}

template <typename T>
void permute(const Job& job, int64_t line, int64_t operand, const uint32_t* indices) {
  const auto* in = static_cast<const T*>(job.inputs[operand]) + line_start(job, line);
  auto* out = static_cast<T*>(job.outputs[operand]) + line_start(job, line);
  for (int64_t i = 0; i < job.n; ++i) out[i * job.inner] = in[indices[i] * job.inner];
}

struct Wide {
  uint64_t words[2];
};

void sort_together(Job& job, int64_t line, Runtime* runtime) {
  auto first = array<uint32_t>(job.n), second = array<uint32_t>(job.n);
  if (!first || !second) {
    job.failed = true;
    return;
  }
  uint32_t *indices = first.get(), *other = second.get();
  for (int64_t i = 0; i < job.n; ++i) indices[i] = static_cast<uint32_t>(i);
  for (int64_t k = job.num_keys - 1; k >= 0; --k) {
    const bool plain = k == job.num_keys - 1;
    bool done = true;
    switch (job.itemsizes[k]) {
      case 1: done = order_by<uint8_t>(job, line, k, plain, runtime, indices, other); break;
      case 2: done = order_by<uint16_t>(job, line, k, plain, runtime, indices, other); break;
      case 4: done = order_by<uint32_t>(job, line, k, plain, runtime, indices, other); break;
      default: done = order_by<uint64_t>(job, line, k, plain, runtime, indices, other); break;
    }
    if (!done) {
      job.failed = true;
      return;
    }
  }
  for (int64_t k = 0; k < job.count; ++k) {
    switch (job.itemsizes[k]) {
      case 1: permute<uint8_t>(job, line, k, indices); break;
      case 2: permute<uint16_t>(job, line, k, indices); break;
      case 4: permute<uint32_t>(job, line, k, indices); break;
      case 8: permute<uint64_t>(job, line, k, indices); break;
      default: permute<Wide>(job, line, k, indices); break;
    }
  }
}

// Whether keys of four bytes carry one operand of four bytes along.
bool is_pair(const Job& job) {
  return job.count == 2 && job.num_keys == 1 && job.itemsizes[0] == 4 && job.itemsizes[1] == 4;
}

constexpr uint32_t kSign = uint32_t{1} << 31;
constexpr int64_t kPart = 1 << 15;  // elements that a task packs or unpacks

struct Pair {
  KeyType type;
  int64_t n, step;
  const uint32_t *in, *carried;
  uint32_t *out, *moved;
  uint64_t* words;
  std::atomic<bool> lost{false};  // a key does not lead back to its value: nan, -0.0
};

void pack(void* context, int64_t part) {
  auto& pair = *static_cast<Pair*>(context);
  const KeyType type = pair.type;
  const auto exponent = static_cast<uint32_t>(type.exponent);
  const int64_t end = std::min(pair.n, (part + 1) * kPart);
  bool lost = false;
  for (int64_t i = part * kPart; i < end; ++i) {
    const uint32_t x = pair.in[i * pair.step];
    if (type.order == Order::from_float) lost |= (x & ~kSign) > exponent || x == kSign;
    pair.words[i] = uint64_t{ordered<uint32_t>(x, type)} << 32 | pair.carried[i * pair.step];
  }
  if (lost) pair.lost = true;
}

void unpack(void* context, int64_t part) {
  auto& pair = *static_cast<Pair*>(context);
  const KeyType type = pair.type;
  const int64_t end = std::min(pair.n, (part + 1) * kPart);
  for (int64_t i = part * kPart; i < end; ++i) {
    const auto key = static_cast<uint32_t>(pair.words[i] >> 32);
    pair.out[i * pair.step] = type.order == Order::from_float ? (key & kSign ? key ^ kSign : ~key)
                                                              : ordered<uint32_t>(key, type);
    pair.moved[i * pair.step] = static_cast<uint32_t>(pair.words[i]);
  }
}

// Both in one word, so that the carried operand moves with the keys and nothing is looked up at the
// end. False: nothing is done, since some key does not lead back to its value.
bool sort_pair(Job& job, int64_t line, Runtime* runtime) {
  const int64_t start = line_start(job, line), parts = (job.n + kPart - 1) / kPart;
  auto words = array<uint64_t>(job.n), other = array<uint64_t>(job.n);
  if (!words || !other) {
    job.failed = true;
    return true;
  }
  Pair pair{key_type(job.codes[0]),
            job.n,
            job.inner,
            static_cast<const uint32_t*>(job.inputs[0]) + start,
            static_cast<const uint32_t*>(job.inputs[1]) + start,
            static_cast<uint32_t*>(job.outputs[0]) + start,
            static_cast<uint32_t*>(job.outputs[1]) + start,
            words.get()};
  const auto each = [&](void (*task)(void*, int64_t)) {
    if (runtime && parts > 1) return runtime->parallel_for(runtime, task, &pair, parts);
    for (int64_t part = 0; part < parts; ++part) task(&pair, part);
  };
  each(pack);
  if (pair.lost) return false;
  Line<uint64_t, false> sorted{words.get(), other.get(), nullptr, nullptr, job.n};
  radix_sort(runtime, sorted, 32);
  pair.words = sorted.keys;
  each(unpack);
  return true;
}

void sort_line(Job& job, int64_t line, Runtime* runtime) {
  if (is_pair(job) && sort_pair(job, line, runtime)) return;
  if (job.count > 1 || job.num_keys > 1) return sort_together(job, line, runtime);
  switch (job.itemsizes[0]) {
    case 1: return sort_values<uint8_t>(job, line, runtime);
    case 2: return sort_values<uint16_t>(job, line, runtime);
    case 4: return sort_values<uint32_t>(job, line, runtime);
    default: return sort_values<uint64_t>(job, line, runtime);
  }
}

void line_task(void* context, int64_t line) {
  sort_line(*static_cast<Job*>(context), line, nullptr);
}

}  // namespace

extern "C" {

// Sorts `count` operands of shape [outer, n, inner] along the middle axis by the first `num_keys` of
// them. `codes` and `itemsizes` describe the operands; every key's dtype has an order
// (vires_sort_has_order). n is below 2^32. Returns 0, or 1 when there is no memory for the work.
int32_t vires_sort(Runtime* runtime, int64_t outer, int64_t n, int64_t inner, int64_t count,
                   int64_t num_keys, const int32_t* codes, const int64_t* itemsizes, void** inputs,
                   void** outputs) {
  Job job{runtime, n, inner, count, num_keys, codes, itemsizes, inputs, outputs};
  const int64_t lines = outer * inner;
  if (n == 0 || lines == 0) return 0;
  if (lines < 4 && n >= kSerial) {
    for (int64_t line = 0; line < lines; ++line) sort_line(job, line, runtime);
  } else if (lines * n < 4096) {
    for (int64_t line = 0; line < lines; ++line) sort_line(job, line, nullptr);
  } else {
    runtime->parallel_for(runtime, line_task, &job, lines);
  }
  return job.failed ? 1 : 0;
}

int32_t vires_sort_has_order(int32_t code) { return key_type(code).bytes != 0; }

}

VIRES_SYMBOL(vires_sort)
VIRES_SYMBOL(vires_sort_has_order)

// Cumulative sums, products, maxima, minima and log-sum-exps along an axis.
//
// Arrays are seen as [outer, n, inner]. A long line is cut into chunks of fixed size: the totals of
// the chunks first, then each chunk from the total of those before it, so that threads do not change
// the result.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "element_types.h"
#include "runtime.h"
#include "symbols.h"

namespace {

using namespace vires;

constexpr int64_t kChunk = 1 << 16;

enum Combine { kSum = 0, kProduct = 1, kMaximum = 2, kMinimum = 3, kLogSumExp = 4 };

template <Combine combine, typename T>
inline T apply(T a, T b) {
  if constexpr (combine == kSum) {
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
    } else {
      return a + b;
    }
  } else if constexpr (combine == kProduct) {
    if constexpr (std::is_integral_v<T>) {
      // Narrow unsigned types would be promoted to int, whose product may overflow.
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    } else if constexpr (is_complex<T>) {
      return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
    } else {
      return a * b;
    }
  } else if constexpr (combine == kMaximum) {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b ? b : (a < b || (a == b && std::signbit(a)) ? b : a));
    else
      return std::max(a, b);
  } else if constexpr (combine == kMinimum) {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b ? b : (b < a || (a == b && std::signbit(b)) ? b : a));
    else
      return std::min(a, b);
  } else {
    const T larger = std::max(a, b), difference = std::fabs(a - b);
    if (a != a || b != b) return a + b;
    if (std::isinf(larger)) return larger;
    return larger + std::log1p(std::exp(-difference));
  }
}

template <typename T>
struct Line {
  const T* in;
  T* out;
  int64_t n, step;  // step: distance of neighbours, negative when reversed
  std::vector<typename Element<T>::Sum> before;  // per chunk: everything before it
};

template <typename T, Combine combine>
void run_from(const Line<T>& line, int64_t begin, int64_t end, const typename Element<T>::Sum* start) {
  using E = Element<T>;
  int64_t i = begin;
  typename E::Sum sum = E::load(line.in[i * line.step]);
  if (start) sum = apply<combine>(*start, sum);
  line.out[i * line.step] = E::store(sum);
  for (++i; i < end; ++i) {
    sum = apply<combine>(sum, E::load(line.in[i * line.step]));
    line.out[i * line.step] = E::store(sum);
  }
}

template <typename T, Combine combine>
void total_chunk(void* context, int64_t c) {
  using E = Element<T>;
  auto& line = *static_cast<Line<T>*>(context);
  const int64_t end = std::min(line.n, (c + 1) * kChunk);
  // Four sums, so that the additions overlap.
  typename E::Sum sums[4] = {};
  int64_t i = c * kChunk, filled = 0;
  for (; filled < 4 && i < end; ++i) sums[filled++] = E::load(line.in[i * line.step]);
  for (; i + 4 <= end; i += 4)
    for (int64_t k = 0; k < 4; ++k)
      sums[k] = apply<combine>(sums[k], E::load(line.in[(i + k) * line.step]));
  for (; i < end; ++i) sums[0] = apply<combine>(sums[0], E::load(line.in[i * line.step]));
  for (int64_t k = 1; k < filled; ++k) sums[0] = apply<combine>(sums[0], sums[k]);
  line.before[c] = sums[0];
}

template <typename T, Combine combine>
void finish_chunk(void* context, int64_t c) {
  auto& line = *static_cast<Line<T>*>(context);
  run_from<T, combine>(line, c * kChunk, std::min(line.n, (c + 1) * kChunk),
                       c ? &line.before[c - 1] : nullptr);
}

template <typename T>
struct Job {
  const T* in;
  T* out;
  int64_t n, inner, reverse;
};

template <typename T, Combine combine>
void row_task(void* context, int64_t outer) {
  using E = Element<T>;
  const auto& job = *static_cast<Job<T>*>(context);
  const T* in = job.in + outer * job.n * job.inner;
  T* out = job.out + outer * job.n * job.inner;
  if (job.inner == 1) {
    const int64_t start = job.reverse ? job.n - 1 : 0;
    return run_from<T, combine>({in + start, out + start, job.n, job.reverse ? -1 : 1, {}}, 0, job.n,
                                nullptr);
  }
  std::vector<typename E::Sum> sums(static_cast<size_t>(job.inner));
  for (int64_t i = 0; i < job.n; ++i) {
    const int64_t row = (job.reverse ? job.n - 1 - i : i) * job.inner;
    for (int64_t j = 0; j < job.inner; ++j) {
      const auto x = E::load(in[row + j]);
      sums[j] = i ? apply<combine>(sums[j], x) : x;
      out[row + j] = E::store(sums[j]);
    }
  }
}

template <typename T, Combine combine>
void cumulate(Runtime* runtime, int64_t outer, int64_t n, int64_t inner, int64_t reverse,
              const void* in, void* out) {
  Job<T> job{static_cast<const T*>(in), static_cast<T*>(out), n, inner, reverse};
  if (inner == 1 && outer < 4 && n >= 2 * kChunk) {
    for (int64_t k = 0; k < outer && !runtime->stop; ++k) {
      const int64_t start = k * n + (reverse ? n - 1 : 0), chunks = (n + kChunk - 1) / kChunk;
      Line<T> line{job.in + start, job.out + start, n, reverse ? -1 : 1, {}};
      line.before.resize(static_cast<size_t>(chunks));
      runtime->parallel_for(runtime, total_chunk<T, combine>, &line, chunks - 1);
      for (int64_t c = 1; c + 1 < chunks; ++c)
        line.before[c] = apply<combine>(line.before[c - 1], line.before[c]);
      runtime->parallel_for(runtime, finish_chunk<T, combine>, &line, chunks);
    }
  } else if (outer * n * inner < 16384) {
    for (int64_t k = 0; k < outer; ++k) row_task<T, combine>(&job, k);
  } else {
    runtime->parallel_for(runtime, row_task<T, combine>, &job, outer);
  }
}

template <typename T>
int32_t by_combine(int32_t combine, Runtime* runtime, int64_t outer, int64_t n, int64_t inner,
                   int64_t reverse, const void* in, void* out) {
  const auto run = [&](auto function) {
    function(runtime, outer, n, inner, reverse, in, out);
    return 0;
  };
  switch (combine) {
    case kSum: return run(cumulate<T, kSum>);
    case kProduct: return run(cumulate<T, kProduct>);
    default: break;
  }
  if constexpr (!is_complex<T>) {
    if (combine == kMaximum) return run(cumulate<T, kMaximum>);
    if (combine == kMinimum) return run(cumulate<T, kMinimum>);
    if constexpr (std::is_floating_point_v<typename Element<T>::Sum>)
      if (combine == kLogSumExp) return run(cumulate<T, kLogSumExp>);
  }
  return 1;
}

}  // namespace

extern "C" {

// combine: 0 sum, 1 product, 2 maximum, 3 minimum, 4 log-sum-exp. Returns 1 where the dtype code has no
// such operation. Sums of 16-bit floats are kept in 32 bits.
int32_t vires_cumulate(Runtime* runtime, int64_t outer, int64_t n, int64_t inner, int32_t code,
                       int32_t combine, int32_t reverse, const void* in, void* out) {
  if (outer == 0 || n == 0 || inner == 0) return 0;
  return by_element<kWithHalf | kWithComplex>(code, int32_t{1}, [&](auto element) {
    return by_combine<decltype(element)>(combine, runtime, outer, n, inner, reverse, in, out);
  });
}

}

VIRES_SYMBOL(vires_cumulate)

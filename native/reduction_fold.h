// How a reduction folds what lies side by side: lines, and the columns of rows. The order of
// combination depends on the shape alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "clones.h"
#include "element_types.h"
#include "reduction.h"

namespace vires {

// A narrow number that is added up as a wide one.
template <typename T, typename S>
struct Wide {
  T value;
};
template <typename T, typename S>
struct Element<Wide<T, S>> {
  using Sum = S;
  static S load(Wide<T, S> x) {
    if constexpr (std::is_same_v<T, bool>)  // loops over bytes become vectors,
      return static_cast<S>(std::bit_cast<uint8_t>(x.value));
    else if constexpr (std::is_floating_point_v<S>)  // and so do those over int32
      return static_cast<S>(static_cast<int32_t>(x.value));
    else
      return static_cast<S>(x.value);
  }
};

namespace reduction {
namespace {

template <Reduce kind, typename T>
inline T combine(T a, T b) {
  if constexpr (kind == Reduce::kSum) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
      return a + b;
  } else if constexpr (kind == Reduce::kProduct) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else if constexpr (is_complex<T>)
      return T(a.real() * b.real() - a.imag() * b.imag(),
               a.real() * b.imag() + a.imag() * b.real());
    else
      return a * b;
  } else if constexpr (kind == Reduce::kMaximum || kind == Reduce::kMinimum) {
    constexpr bool most = kind == Reduce::kMaximum;
    if constexpr (std::is_floating_point_v<T>) {
      // nan wins; -0.0 is below 0.0. Without branches, so that loops become vectors.
      using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
      const Bits first = std::bit_cast<Bits>(a), second = std::bit_cast<Bits>(b);
      const Bits wins = -static_cast<Bits>(most ? a > b : a < b);
      const Bits ties = -static_cast<Bits>(a == b);
      const Bits signs = -static_cast<Bits>(most ? first >= second : first <= second);
      const Bits mask = wins | (ties & signs) | -static_cast<Bits>(a != a);
      return std::bit_cast<T>(static_cast<Bits>((first & mask) | (second & ~mask)));
    } else {
      return most == (a > b) ? a : b;
    }
  } else if constexpr (kind == Reduce::kAnd) {
    return static_cast<T>(a & b);
  } else if constexpr (kind == Reduce::kOr) {
    return static_cast<T>(a | b);
  } else {
    return static_cast<T>(a ^ b);
  }
}

template <Reduce kind, typename T>
T identity() {
  if constexpr (kind == Reduce::kProduct) return T(1);
  if constexpr (kind == Reduce::kAnd) {
    if constexpr (std::is_same_v<T, bool>) return true;
    else return static_cast<T>(~T(0));
  }
  if constexpr (kind == Reduce::kMaximum && std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  if constexpr (kind == Reduce::kMinimum && std::is_floating_point_v<T>)
    return std::numeric_limits<T>::infinity();
  if constexpr (kind == Reduce::kMaximum && std::is_integral_v<T>)
    return std::numeric_limits<T>::min();
  if constexpr (kind == Reduce::kMinimum && std::is_integral_v<T>)
    return std::numeric_limits<T>::max();
  return T(0);
}

constexpr int64_t kThreaded = 1 << 17;  // elements; below this one thread is faster

int64_t half_of(int64_t n) { return n / 128 * 64; }

// Sums side by side: four of the widest vectors, or as many as a short line is worth.
constexpr int64_t kBlock = 2048, kFew = 16;
template <typename T>
constexpr int64_t kMany = std::max<int64_t>(kFew, 256 / sizeof(typename Element<T>::Sum));

// Sums side by side, added as a tree. n is at least kSide.
template <typename T, Reduce kind, int64_t kSide>
VIRES_CLONES void block(const T* x, int64_t n, typename Element<T>::Sum* result) {
  using E = Element<T>;
  using Sum = typename E::Sum;
  Sum sums[kSide];
  for (int64_t k = 0; k < kSide; ++k) sums[k] = E::load(x[k]);
  int64_t i = kSide;
  for (; i + kSide <= n; i += kSide)
    for (int64_t k = 0; k < kSide; ++k) sums[k] = combine<kind>(sums[k], Sum(E::load(x[i + k])));
  for (int64_t k = 0; i < n; ++i, ++k) sums[k] = combine<kind>(sums[k], Sum(E::load(x[i])));
  for (int64_t width = kSide / 2; width; width /= 2)
    for (int64_t k = 0; k < width; ++k) sums[k] = combine<kind>(sums[k], sums[k + width]);
  *result = sums[0];
}

// As wide as the numbers, so that both are vectors of one length.
template <typename T>
using Odd = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// The largest (smallest) of at least 256 bytes of numbers where all of them are ordered and differ
// from zero, whose sign would count; false elsewhere.
template <typename T, bool most>
VIRES_CLONES bool plain_extreme(const T* x, int64_t n, T* result) {
  constexpr int64_t kWide = 256 / sizeof(T);
  T best[kWide];
  Odd<T> odd[kWide] = {};
  for (int64_t k = 0; k < kWide; ++k) {
    best[k] = x[k];
    odd[k] = best[k] != best[k];
  }
  int64_t i = kWide;
  for (; i + kWide <= n; i += kWide)
    for (int64_t k = 0; k < kWide; ++k) {
      const T value = x[i + k];
      best[k] = (most ? value > best[k] : value < best[k]) ? value : best[k];
      odd[k] |= value != value;
    }
  T found = best[0];
  bool nan = false;
  for (; i < n; ++i) {
    found = (most ? x[i] > found : x[i] < found) ? x[i] : found;
    nan |= x[i] != x[i];
  }
  for (int64_t k = 0; k < kWide; ++k) {
    found = (most ? best[k] > found : best[k] < found) ? best[k] : found;
    nan |= odd[k] != 0;
  }
  *result = found;
  return !nan && found != T(0);
}

// out[i] is combined with x[i].
template <typename T, Reduce kind>
VIRES_CLONES void into(const T* x, int64_t n, typename Element<T>::Sum* out) {
  using E = Element<T>;
  using Sum = typename E::Sum;
  for (int64_t i = 0; i < n; ++i) out[i] = combine<kind>(out[i], Sum(E::load(x[i])));
}

// Rows that are read at a time: what they give is kept in registers meanwhile, and memory gives
// whole rows sooner than pieces of all of them.
constexpr int64_t kBand = 8;

// out[i] is combined with column i of n rows, in order.
template <typename T, Reduce kind>
VIRES_CLONES void rows_into(const T* x, int64_t n, int64_t width, typename Element<T>::Sum* out) {
  using E = Element<T>;
  using Sum = typename E::Sum;
  for (; n >= kBand; n -= kBand, x += kBand * width)
    for (int64_t i = 0; i < width; ++i) {
      Sum sum = out[i];
      for (int64_t k = 0; k < kBand; ++k) sum = combine<kind>(sum, Sum(E::load(x[k * width + i])));
      out[i] = sum;
    }
  for (; n; --n, x += width)
    for (int64_t i = 0; i < width; ++i) out[i] = combine<kind>(out[i], Sum(E::load(x[i])));
}

// The same for the largest (smallest) numbers, where all of them are ordered and no result is zero,
// whose sign would count; false elsewhere.
template <typename T, bool most>
VIRES_CLONES bool plain_rows_into(const T* x, int64_t n, int64_t width, T* out) {
  Odd<T> odd = 0;
  for (; n >= kBand; n -= kBand, x += kBand * width)
    for (int64_t i = 0; i < width; ++i) {
      T best = out[i];
      for (int64_t k = 0; k < kBand; ++k) {
        const T value = x[k * width + i];
        best = (most ? value > best : value < best) ? value : best;
        odd |= value != value;
      }
      out[i] = best;
    }
  for (; n; --n, x += width)
    for (int64_t i = 0; i < width; ++i) {
      out[i] = (most ? x[i] > out[i] : x[i] < out[i]) ? x[i] : out[i];
      odd |= x[i] != x[i];
    }
  for (int64_t i = 0; i < width; ++i) odd |= out[i] == T(0);
  return !odd;
}

template <typename T, Reduce kind>
void fold_long_rows(const T* x, int64_t n, int64_t width, typename Element<T>::Sum* out) {
  if constexpr (std::is_floating_point_v<T> &&
                (kind == Reduce::kMaximum || kind == Reduce::kMinimum)) {
    if (plain_rows_into<T, kind == Reduce::kMaximum>(x, n, width, out)) return;
    std::fill(out, out + width, identity<kind, T>());
  }
  rows_into<T, kind>(x, n, width, out);
}

// The columns of n rows: `out` is what nothing gives, before.
template <typename T, Reduce kind>
void fold_rows(const T* x, int64_t n, int64_t width, typename Element<T>::Sum* out) {
  // Short rows are folded side by side first: what is left beyond whole vectors takes long.
  constexpr int64_t kShort = 256;
  if (width < kShort && n >= kFew * kBand) {
    using Sum = typename Element<T>::Sum;
    Sum sides[kShort * kFew];
    std::fill(sides, sides + kFew * width, identity<kind, Sum>());
    fold_long_rows<T, kind>(x, n / kFew, kFew * width, sides);
    rows_into<Sum, kind>(sides, kFew, width, out);
    const int64_t done = n / kFew * kFew;
    rows_into<T, kind>(x + done * width, n - done, width, out);
  } else {
    fold_long_rows<T, kind>(x, n, width, out);
  }
}

// Halves are added in pairs, so that the error grows with the logarithm of the length.
template <typename T, Reduce kind>
typename Element<T>::Sum halves(const T* x, int64_t n) {
  using E = Element<T>;
  using Sum = typename E::Sum;
  if (n > kBlock) {
    const int64_t half = half_of(n);
    const Sum left = halves<T, kind>(x, half);  // first: memory is read in its order
    return combine<kind>(left, halves<T, kind>(x + half, n - half));
  }
  Sum sum = n ? Sum(E::load(x[0])) : identity<kind, Sum>();
  if (n >= 4 * kMany<T>) {
    block<T, kind, kMany<T>>(x, n, &sum);
  } else if (n >= kFew) {
    block<T, kind, kFew>(x, n, &sum);
  } else {
    for (int64_t i = 1; i < n; ++i) sum = combine<kind>(sum, Sum(E::load(x[i])));
  }
  return sum;
}

constexpr int64_t kFlat = 64;
// So many side by side are four vectors, or less; more would not stay in registers.
template <typename T>
constexpr int64_t kLanes = std::min<int64_t>(kFlat, 128 / sizeof(T));

// As `halves`, of integers, for which the order is free. n is at least kFlat.
template <typename T, Reduce kind>
VIRES_CLONES void flat(const T* x, int64_t n, T* result) {
  constexpr int64_t lanes = kLanes<T>;
  T sums[lanes];
  for (int64_t k = 0; k < lanes; ++k) sums[k] = x[k];
  int64_t i = lanes;
  for (; i + lanes <= n; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) sums[k] = combine<kind>(sums[k], x[i + k]);
  T total = sums[0];
  for (int64_t k = 1; k < lanes; ++k) total = combine<kind>(total, sums[k]);
  for (; i < n; ++i) total = combine<kind>(total, x[i]);
  *result = total;
}

// Sums of numbers of 8 or 16 bits: in the next wider type, as many as it holds for certain.
template <typename T>
struct Narrow;
template <>
struct Narrow<bool> {
  using Sum = uint8_t;
  static constexpr int64_t kMost = 255;
};
template <>
struct Narrow<int8_t> {
  using Sum = int16_t;
  static constexpr int64_t kMost = 256;
};
template <>
struct Narrow<uint8_t> {
  using Sum = uint16_t;
  static constexpr int64_t kMost = 256;
};
template <>
struct Narrow<int16_t> {
  using Sum = int32_t;
  static constexpr int64_t kMost = 1 << 16;
};
template <>
struct Narrow<uint16_t> {
  using Sum = uint32_t;
  static constexpr int64_t kMost = 1 << 16;
};

template <typename T, typename S>
VIRES_CLONES void wide_sum(const Wide<T, S>* x, int64_t n, S* result) {
  using Part = typename Narrow<T>::Sum;
  S total = 0;
  while (n >= kFlat) {
    const int64_t count = std::min(n / kFlat, Narrow<T>::kMost);
    Part parts[kFlat] = {};
    for (int64_t i = 0; i < count; ++i, x += kFlat)
      for (int64_t k = 0; k < kFlat; ++k) parts[k] = static_cast<Part>(parts[k] + x[k].value);
    for (int64_t k = 0; k < kFlat; ++k) total += static_cast<S>(parts[k]);
    n -= count * kFlat;
  }
  for (int64_t i = 0; i < n; ++i) total += static_cast<S>(x[i].value);
  *result = total;
}

template <typename T>
constexpr bool is_wide_integer = false;
template <typename T, typename S>
constexpr bool is_wide_integer<Wide<T, S>> = std::is_integral_v<S>;

template <typename T, Reduce kind>
typename Element<T>::Sum line(const T* x, int64_t n) {
  constexpr bool extreme = kind == Reduce::kMaximum || kind == Reduce::kMinimum;
  if constexpr (std::is_same_v<T, bool> && (kind == Reduce::kAnd || kind == Reduce::kOr)) {
    const bool found = std::memchr(x, kind == Reduce::kOr, static_cast<size_t>(n)) != nullptr;
    return found == (kind == Reduce::kOr);
  } else if constexpr (std::is_floating_point_v<T> && extreme) {
    T best;
    if (n >= 4 * kFew && plain_extreme<T, kind == Reduce::kMaximum>(x, n, &best)) return best;
  } else if constexpr (is_wide_integer<T>) {
    typename Element<T>::Sum sum;
    wide_sum(x, n, &sum);
    return sum;
  } else if constexpr (std::is_integral_v<T>) {
    T result;
    if (n >= 2 * kFlat) {
      flat<T, kind>(x, n, &result);
      return result;
    }
  }
  return halves<T, kind>(x, n);
}

}  // namespace
}  // namespace reduction
}  // namespace vires

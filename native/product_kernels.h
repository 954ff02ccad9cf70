// Kernels of small products, for any way `How` to add a product. Included where the instructions are
// chosen: nothing here may be shared between translation units.
#pragma once

#include <cstdint>
#include <cstring>

namespace vires {

constexpr int64_t kMostSide = 64;  // rows and columns of a small product

// Thirty-two bytes at a time; machines without such registers use two.
template <class T>
struct Lanes {
  static constexpr int kCount = 32 / sizeof(T);
  typedef T Vector __attribute__((vector_size(32)));

  static Vector load(const T* from) {
    Vector value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static void store(T* to, Vector value) { std::memcpy(to, &value, sizeof value); }
};

template <class T>
struct ProductKernels {
  T (*dot)(const T* x, const T* y, int64_t n);
  // sizes: as array_product's.
  void (*product)(const T* x, const T* y, const int64_t* sizes, T* out);
};

// With fused multiply-adds; null where the machine has none.
template <class T>
const ProductKernels<T>* fused_kernels();

namespace {

// The sum of x_i y_i: four vectors of sums, added as a tree.
template <class T, class How>
inline T block_dot(const T* x, const T* y, int64_t n) {
  using L = Lanes<T>;
  constexpr int kWidth = L::kCount;
  typename L::Vector first = {}, second = {}, third = {}, fourth = {};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    first = How::add_product(first, L::load(x + i), L::load(y + i));
    second = How::add_product(second, L::load(x + i + kWidth), L::load(y + i + kWidth));
    third = How::add_product(third, L::load(x + i + 2 * kWidth), L::load(y + i + 2 * kWidth));
    fourth = How::add_product(fourth, L::load(x + i + 3 * kWidth), L::load(y + i + 3 * kWidth));
  }
  for (; i + kWidth <= n; i += kWidth)
    second = How::add_product(second, L::load(x + i), L::load(y + i));
  if (i < n) {
    T left[kWidth] = {}, right[kWidth] = {};
    for (int64_t k = 0; i + k < n; ++k) {
      left[k] = x[i + k];
      right[k] = y[i + k];
    }
    fourth = How::add_product(fourth, L::load(left), L::load(right));
  }
  T lanes[kWidth];
  L::store(lanes, (first + second) + (third + fourth));
  for (int width = kWidth / 2; width; width /= 2)
    for (int k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  return lanes[0];
}

// y as rows of whole vectors, zeros behind them.
template <class T>
void pack(const T* y, int64_t k, int64_t n, bool turned, int64_t padded, T* panel) {
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) panel[i * padded + j] = turned ? y[j * k + i] : y[i * n + j];
    for (int64_t j = n; j < padded; ++j) panel[i * padded + j] = T(0);
  }
}

// kRows rows of x times two vectors of columns.
template <class T, class How, int kRows>
inline void tile(const T* x, int64_t row_step, int64_t k_step,
                                        const T* panel, int64_t padded, int64_t k, int64_t columns,
                                        T* out, int64_t n) {
  using L = Lanes<T>;
  constexpr int kWidth = L::kCount;
  typename L::Vector sums[kRows][2] = {};
  for (int64_t i = 0; i < k; ++i) {
    const auto left = L::load(panel + i * padded), right = L::load(panel + i * padded + kWidth);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const typename L::Vector a = x[r * row_step + i * k_step] - typename L::Vector{};
      sums[r][0] = How::add_product(sums[r][0], a, left);
      sums[r][1] = How::add_product(sums[r][1], a, right);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    T row[2 * kWidth];
    L::store(row, sums[r][0]);
    L::store(row + kWidth, sums[r][1]);
    for (int64_t j = 0; j < columns; ++j) out[r * n + j] = row[j];
  }
}

template <class T, class How>
inline void small_product(const T* x, const T* y, const int64_t* sizes,
                                                 T* out) {
  const int64_t m = sizes[0], k = sizes[1], n = sizes[2];
  constexpr int64_t kPair = 2 * Lanes<T>::kCount;
  const int64_t padded = (n + kPair - 1) / kPair * kPair;
  alignas(64) T panel[kMostSide * kMostSide];
  const T* columns = y;
  if (padded != n || sizes[4]) {
    pack(y, k, n, sizes[4] != 0, padded, panel);
    columns = panel;
  }
  const int64_t row_step = sizes[3] ? 1 : k, k_step = sizes[3] ? m : 1;
  for (int64_t j = 0; j < n; j += kPair) {
    const int64_t count = n - j < kPair ? n - j : kPair;
    int64_t i = 0;
    for (; i + 4 <= m; i += 4)
      tile<T, How, 4>(x + i * row_step, row_step, k_step, columns + j, padded, k, count,
                      out + i * n + j, n);
    for (; i < m; ++i)
      tile<T, How, 1>(x + i * row_step, row_step, k_step, columns + j, padded, k, count,
                      out + i * n + j, n);
  }
}

}  // namespace
}  // namespace vires

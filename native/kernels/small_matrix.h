// Factorisations and solves of one small row-major matrix, over real and complex elements.
//
// Inner loops run along rows, so that the compiler makes vectors of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace vires::small {

// std::complex's product looks for nans that arise from infinities, at several times the cost.
template <typename R>
struct Complex {
  R re, im;
};

template <typename R>
inline Complex<R> operator*(Complex<R> a, Complex<R> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

template <typename R>
inline Complex<R> operator-(Complex<R> a, Complex<R> b) {
  return {a.re - b.re, a.im - b.im};
}

// Smith's division: no overflow where the result has none.
template <typename R>
inline Complex<R> operator/(Complex<R> a, Complex<R> b) {
  if (std::abs(b.re) >= std::abs(b.im)) {
    const R ratio = b.im / b.re, scale = b.re + b.im * ratio;
    return {(a.re + a.im * ratio) / scale, (a.im - a.re * ratio) / scale};
  }
  const R ratio = b.re / b.im, scale = b.re * ratio + b.im;
  return {(a.re * ratio + a.im) / scale, (a.im * ratio - a.re) / scale};
}

inline float conjugate(float x) { return x; }
inline double conjugate(double x) { return x; }
template <typename R>
inline Complex<R> conjugate(Complex<R> x) {
  return {x.re, -x.im};
}

// What pivots are compared by.
inline float size(float x) { return std::abs(x); }
inline double size(double x) { return std::abs(x); }
template <typename R>
inline R size(Complex<R> x) {
  return std::abs(x.re) + std::abs(x.im);
}

inline float real(float x) { return x; }
inline double real(double x) { return x; }
template <typename R>
inline R real(Complex<R> x) {
  return x.re;
}

template <typename T>
struct FromReal {
  static T make(T x) { return x; }
};
template <typename R>
struct FromReal<Complex<R>> {
  static Complex<R> make(R x) { return {x, 0}; }
};

template <typename T>
inline T not_a_number() {
  using R = decltype(real(T{}));
  return FromReal<T>::make(std::numeric_limits<R>::quiet_NaN());
}

// b = a, transposed and conjugated as wanted; a is [rows, columns] as it lies in memory.
template <typename T>
inline void copy(const T* a, T* b, int64_t rows, int64_t columns, bool transpose, bool conjugated) {
  if (!transpose && !conjugated) {
    std::copy_n(a, rows * columns, b);
    return;
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      const T x = a[i * columns + j];
      b[transpose ? j * rows + i : i * columns + j] = conjugated ? conjugate(x) : x;
    }
}

// x -= factor * y, over n elements.
template <typename T>
inline void subtract(T* __restrict x, T factor, const T* __restrict y, int64_t n) {
  for (int64_t j = 0; j < n; ++j) x[j] = x[j] - factor * y[j];
}

// L (unit lower) and U in place of a [m, n], rows exchanged for the largest pivot; whether no pivot
// is zero.
template <typename T>
bool lu_factor(T* a, int64_t m, int64_t n, int32_t* pivots) {
  bool regular = true;
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    int64_t best = k;
    auto largest = size(a[k * n + k]);
    for (int64_t i = k + 1; i < m; ++i) {
      const auto s = size(a[i * n + k]);
      if (s > largest) {
        largest = s;
        best = i;
      }
    }
    pivots[k] = static_cast<int32_t>(best);
    if (largest == 0) {
      regular = false;
      continue;
    }
    if (best != k) std::swap_ranges(a + k * n, a + (k + 1) * n, a + best * n);
    const T* row = a + k * n;
    for (int64_t i = k + 1; i < m; ++i) {
      T* other = a + i * n;
      other[k] = other[k] / row[k];
      subtract(other + k + 1, other[k], row + k + 1, n - k - 1);
    }
  }
  return regular;
}

// The lower factor in place of the lower triangle of a; whether there is one.
template <typename T>
bool cholesky_factor(T* a, int64_t n) {
  T column[32];
  for (int64_t k = 0; k < n; ++k) {
    const auto pivot = real(a[k * n + k]);
    if (!(pivot > 0)) return false;
    const T root = FromReal<T>::make(std::sqrt(pivot));
    a[k * n + k] = root;
    for (int64_t i = k + 1; i < n; ++i) {
      a[i * n + k] = a[i * n + k] / root;
      column[i] = conjugate(a[i * n + k]);
      subtract(a + i * n + k + 1, a[i * n + k], column + k + 1, i - k);
    }
  }
  return true;
}

// x [n, columns] becomes the solution of t x = x, for triangular t.
template <typename T>
void solve_left(const T* t, int64_t n, T* x, int64_t columns, bool lower, bool unit) {
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = lower ? step : n - 1 - step;
    T* row = x + i * columns;
    for (int64_t done = 0; done < step; ++done) {
      const int64_t j = lower ? done : n - 1 - done;
      subtract(row, t[i * n + j], x + j * columns, columns);
    }
    if (unit) continue;
    const T pivot = t[i * n + i];
    for (int64_t c = 0; c < columns; ++c) row[c] = row[c] / pivot;
  }
}

// The row x [n] becomes the solution of x t = x, for triangular t.
template <typename T>
void solve_right(const T* t, int64_t n, T* x, bool lower, bool unit) {
  for (int64_t step = 0; step < n; ++step) {
    const int64_t j = lower ? n - 1 - step : step;
    if (!unit) x[j] = x[j] / t[j * n + j];
    const int64_t first = lower ? 0 : j + 1, last = lower ? j : n;
    subtract(x + first, x[j], t + j * n + first, last - first);
  }
}

}  // namespace vires::small

// Fourier transforms of several lines at once: element k of all lines is one vector, so that every
// operation of the transform is an operation on whole vectors, whatever the length's factors.
//
// Stockham's algorithm: each stage takes one factor off, from one buffer to another, and leaves the
// frequencies in order at the end.
#pragma once

#include <cstdint>

#define VIRES_INLINE inline __attribute__((always_inline))
#define VIRES_UNROLL _Pragma("GCC unroll 16")

namespace vires::fft {

constexpr int kBytes = 32;  // of a vector of lines

template <typename R>
struct Vector;
template <>
struct Vector<float> {
  typedef float type __attribute__((vector_size(kBytes)));
};
template <>
struct Vector<double> {
  typedef double type __attribute__((vector_size(kBytes)));
};

// One element of kLanes<R> lines.
template <typename R>
struct Element {
  typename Vector<R>::type re, im;
};

template <typename R>
constexpr int kLanes = kBytes / sizeof(R);

constexpr int kMostFactors = 32;

// `roots` has exp(-2 pi i k / n) for 0 <= k < n; `small[f]` has those of factor f.
template <typename R>
struct Plan {
  int64_t n;
  int count;
  int factors[kMostFactors];
  const R* roots;
  const R* small[kMostFactors];
};

template <typename R>
VIRES_INLINE void add(Element<R>& out, const Element<R>& a, const Element<R>& b) {
  out.re = a.re + b.re;
  out.im = a.im + b.im;
}

template <typename R>
VIRES_INLINE void subtract(Element<R>& out, const Element<R>& a, const Element<R>& b) {
  out.re = a.re - b.re;
  out.im = a.im - b.im;
}

template <typename R>
VIRES_INLINE void multiply(Element<R>& out, const Element<R>& a, const R* root) {
  const R c = root[0], s = root[1];
  out.re = a.re * c - a.im * s;
  out.im = a.re * s + a.im * c;
}

// b = the transform of the r elements a.
template <typename R, int r>
VIRES_INLINE void butterfly(const Element<R>* a, Element<R>* b, const R* small) {
  if constexpr (r == 2) {
    add(b[0], a[0], a[1]);
    subtract(b[1], a[0], a[1]);
  } else if constexpr (r == 4) {
    Element<R> even, odd, sum, difference;
    add(even, a[0], a[2]);
    subtract(odd, a[0], a[2]);
    add(sum, a[1], a[3]);
    subtract(difference, a[1], a[3]);
    add(b[0], even, sum);
    subtract(b[2], even, sum);
    b[1].re = odd.re + difference.im;
    b[1].im = odd.im - difference.re;
    b[3].re = odd.re - difference.im;
    b[3].im = odd.im + difference.re;
  } else {
    constexpr int half = (r - 1) / 2;
    Element<R> sums[half + 1], differences[half + 1];
    b[0] = a[0];
    VIRES_UNROLL
    for (int j = 1; j <= half; ++j) {
      add(sums[j], a[j], a[r - j]);
      subtract(differences[j], a[j], a[r - j]);
      add(b[0], b[0], sums[j]);
    }
    VIRES_UNROLL
    for (int k = 1; k <= half; ++k) {
      Element<R> c = a[0], e;
      e.re = e.im = typename Vector<R>::type{};
      VIRES_UNROLL
      for (int j = 1; j <= half; ++j) {
        const R* root = small + 2 * (j * k % r);
        const R cosine = root[0], sine = root[1];
        c.re += sums[j].re * cosine;
        c.im += sums[j].im * cosine;
        e.re += differences[j].re * sine;
        e.im += differences[j].im * sine;
      }
      b[k].re = c.re - e.im;
      b[k].im = c.im + e.re;
      b[r - k].re = c.re + e.im;
      b[r - k].im = c.im - e.re;
    }
  }
}

// One stage: lengths n = r m are left, `stride` transforms of that length lie interleaved.
template <typename R, int r>
VIRES_INLINE void stage(const Element<R>* x, Element<R>* y, int64_t m, int64_t stride,
                        const R* roots, int64_t step, const R* small) {
  for (int64_t p = 0; p < m; ++p) {
    for (int64_t q = 0; q < stride; ++q) {
      Element<R> a[r], b[r];
      VIRES_UNROLL
      for (int k = 0; k < r; ++k) a[k] = x[q + stride * (p + m * k)];
      butterfly<R, r>(a, b, small);
      Element<R>* out = y + q + stride * r * p;
      out[0] = b[0];
      if (p == 0)
        VIRES_UNROLL
        for (int k = 1; k < r; ++k) out[stride * k] = b[k];
      else
        VIRES_UNROLL
        for (int k = 1; k < r; ++k) multiply(out[stride * k], b[k], roots + 2 * (p * k * step));
    }
  }
}

// Transforms x, with y of the same size for work; gives the one that holds the result.
template <typename R>
VIRES_INLINE Element<R>* transform(const Plan<R>& plan, Element<R>* x, Element<R>* y) {
  int64_t left = plan.n, stride = 1;
  for (int i = 0; i < plan.count; ++i) {
    const int r = plan.factors[i];
    const R* small = plan.small[i];
    const int64_t m = left / r, step = plan.n / left;
    switch (r) {
      case 2: stage<R, 2>(x, y, m, stride, plan.roots, step, small); break;
      case 3: stage<R, 3>(x, y, m, stride, plan.roots, step, small); break;
      case 4: stage<R, 4>(x, y, m, stride, plan.roots, step, small); break;
      case 5: stage<R, 5>(x, y, m, stride, plan.roots, step, small); break;
      case 7: stage<R, 7>(x, y, m, stride, plan.roots, step, small); break;
      case 11: stage<R, 11>(x, y, m, stride, plan.roots, step, small); break;
      default: stage<R, 13>(x, y, m, stride, plan.roots, step, small); break;
    }
    left = m;
    stride *= r;
    Element<R>* other = x;
    x = y;
    y = other;
  }
  return x;
}

// How lines lie in memory: their first elements, and the distance between elements, all counted in
// numbers (complex, or real where `real`).
struct Lines {
  const int64_t* starts;
  int64_t step;
  int lanes;        // lines that there are
  bool contiguous;  // the starts follow each other
  bool real;
};

enum class Kind : int64_t { forward, inverse, real_forward, real_inverse };

template <typename R>
VIRES_INLINE void load_contiguous(Element<R>& out, const R* from) {
  typedef typename Vector<R>::type V;
  V first, second;
  __builtin_memcpy(&first, from, kBytes);
  __builtin_memcpy(&second, from + kLanes<R>, kBytes);
  if constexpr (sizeof(R) == 4) {
    out.re = __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14);
    out.im = __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15);
  } else {
    out.re = __builtin_shufflevector(first, second, 0, 2, 4, 6);
    out.im = __builtin_shufflevector(first, second, 1, 3, 5, 7);
  }
}

template <typename R>
VIRES_INLINE void store_contiguous(R* to, const Element<R>& x) {
  typedef typename Vector<R>::type V;
  V first, second;
  if constexpr (sizeof(R) == 4) {
    first = __builtin_shufflevector(x.re, x.im, 0, 8, 1, 9, 2, 10, 3, 11);
    second = __builtin_shufflevector(x.re, x.im, 4, 12, 5, 13, 6, 14, 7, 15);
  } else {
    first = __builtin_shufflevector(x.re, x.im, 0, 4, 1, 5);
    second = __builtin_shufflevector(x.re, x.im, 2, 6, 3, 7);
  }
  __builtin_memcpy(to, &first, kBytes);
  __builtin_memcpy(to + kLanes<R>, &second, kBytes);
}

// Element k of each line, lane by lane. Inverse transforms are forward ones with the real and the
// imaginary parts exchanged.
template <typename R>
VIRES_INLINE void load(Element<R>* x, const R* from, const Lines& lines, int64_t n, Kind kind) {
  const int64_t width = lines.real ? 1 : 2;
  const int64_t present = kind == Kind::real_inverse ? n / 2 + 1 : n;
  if (lines.contiguous && !lines.real && lines.lanes == kLanes<R>) {
    const R* start = from + 2 * lines.starts[0];
    for (int64_t k = 0; k < present; ++k) load_contiguous(x[k], start + 2 * k * lines.step);
  } else {
    for (int lane = 0; lane < kLanes<R>; ++lane) {
      const R* start = from + width * lines.starts[lane < lines.lanes ? lane : 0];
      for (int64_t k = 0; k < present; ++k) {
        x[k].re[lane] = start[width * k * lines.step];
        x[k].im[lane] = lines.real ? R(0) : start[width * k * lines.step + 1];
      }
    }
  }
  if (kind == Kind::real_inverse) {
    x[0].im = typename Vector<R>::type{};
    if (n % 2 == 0) x[n / 2].im = typename Vector<R>::type{};
    for (int64_t k = 1; 2 * k < n; ++k) {
      x[n - k].re = x[k].re;
      x[n - k].im = -x[k].im;
    }
  }
  if (kind == Kind::inverse || kind == Kind::real_inverse)
    for (int64_t k = 0; k < n; ++k) {
      const auto re = x[k].re;
      x[k].re = x[k].im;
      x[k].im = re;
    }
}

template <typename R>
VIRES_INLINE void store(Element<R>* x, R* to, const Lines& lines, int64_t n, Kind kind) {
  const int64_t width = lines.real ? 1 : 2;
  const int64_t wanted = kind == Kind::real_forward ? n / 2 + 1 : n;
  if (kind == Kind::inverse || kind == Kind::real_inverse) {
    const R scale = R(1) / static_cast<R>(n);
    for (int64_t k = 0; k < wanted; ++k) {
      const auto re = x[k].re;
      x[k].re = x[k].im * scale;
      x[k].im = re * scale;
    }
  }
  if (lines.contiguous && !lines.real && lines.lanes == kLanes<R>) {
    R* start = to + 2 * lines.starts[0];
    for (int64_t k = 0; k < wanted; ++k) store_contiguous(start + 2 * k * lines.step, x[k]);
    return;
  }
  for (int lane = 0; lane < lines.lanes; ++lane) {
    R* start = to + width * lines.starts[lane];
    for (int64_t k = 0; k < wanted; ++k) {
      start[width * k * lines.step] = x[k].re[lane];
      if (!lines.real) start[width * k * lines.step + 1] = x[k].im[lane];
    }
  }
}

template <typename R>
VIRES_INLINE void transform_lines(const Plan<R>& plan, const R* from, const Lines& sources, R* to,
                                  const Lines& targets, Kind kind, Element<R>* work) {
  load(work, from, sources, plan.n, kind);
  store(transform(plan, work, work + plan.n), to, targets, plan.n, kind);
}

}  // namespace vires::fft

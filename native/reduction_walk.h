// How a reduction walks over an array: lines, columns and pieces of them, and what all threads share.
// The order of combination depends on the shape alone.
#pragma once

#include <memory>
#include <new>
#include <vector>

#include "reduction_fold.h"
#include "threads.h"

namespace vires {
namespace reduction {
namespace {

// The pieces that the first halvings of a long line make, each of at most kPiece elements.
template <typename T, Reduce kind>
struct Pieces {
  static constexpr int64_t kPiece = 1 << 15;
  using Sum = typename Element<T>::Sum;

  const T* x;
  std::vector<int64_t> starts;
  std::vector<Sum> sums;

  void cut(int64_t start, int64_t n) {
    if (n <= kPiece) {
      starts.push_back(start);
      return;
    }
    const int64_t half = half_of(n);
    cut(start, half);
    cut(start + half, n - half);
  }

  Sum join(size_t& next, int64_t n) const {
    if (n <= kPiece) return sums[next++];
    const int64_t half = half_of(n);
    const Sum left = join(next, half);
    return combine<kind>(left, join(next, n - half));
  }

  static void task(void* context, int64_t i) {
    auto& self = *static_cast<Pieces*>(context);
    const size_t k = static_cast<size_t>(i);
    self.sums[k] = line<T, kind>(self.x + self.starts[k], self.starts[k + 1] - self.starts[k]);
  }

  // The same as line(x, n), on all threads.
  static Sum run(const T* x, int64_t n) {
    Pieces pieces{x, {}, {}};
    pieces.cut(0, n);
    const size_t count = pieces.starts.size();
    pieces.starts.push_back(n);
    pieces.sums.resize(count);
    threads::parallel_for(task, &pieces, static_cast<int64_t>(count));
    size_t next = 0;
    return pieces.join(next, n);
  }
};

// Axes merged to runs of kept and reduced ones, outermost first.
struct Layout {
  int ndim = 0;
  int64_t lengths[kMaxDims];
  int64_t out_steps[kMaxDims];  // 0 along reduced axes
  bool reduced[kMaxDims];

  Layout(const Array* array, uint64_t axes) {
    for (int d = 0; d < array->ndim; ++d) {
      const bool gone = axes >> d & 1;
      if (array->dims[d] == 1) continue;
      if (ndim && reduced[ndim - 1] == gone) {
        lengths[ndim - 1] *= array->dims[d];
      } else {
        lengths[ndim] = array->dims[d];
        reduced[ndim++] = gone;
      }
    }
    int64_t step = 1;
    for (int d = ndim; d-- > 0;) {
      out_steps[d] = reduced[d] ? 0 : step;
      if (!reduced[d]) step *= lengths[d];
    }
  }
};

template <typename T, Reduce kind>
class Walk {
  using E = Element<T>;
  using Sum = typename E::Sum;

 public:
  Walk(const Layout& layout, Sum* out) : layout_(layout), out_(out) {}

  // Combines the block of axes d.. into out; returns the elements read.
  void run(int d, const T* x, int64_t size, int64_t place) {
    if (d == layout_.ndim) {
      out_[place] = combine<kind>(out_[place], Sum(E::load(*x)));
      return;
    }
    const int64_t n = layout_.lengths[d];
    if (d == layout_.ndim - 1) {
      if (layout_.reduced[d]) {
        out_[place] = combine<kind>(out_[place], line<T, kind>(x, n));
      } else {
        into<T, kind>(x, n, out_ + place);
      }
      return;
    }
    const int64_t inner = size / n;
    if (d == layout_.ndim - 2 && layout_.reduced[d]) {
      rows_into<T, kind>(x, n, inner, out_ + place);
      return;
    }
    for (int64_t i = 0; i < n; ++i) run(d + 1, x + i * inner, inner, place + i * layout_.out_steps[d]);
  }

 private:
  const Layout& layout_;
  Sum* out_;
};

// Many rows, whose columns are folded: parts of them on all threads, and then these together.
template <typename T, Reduce kind>
struct Parts {
  using Sum = typename Element<T>::Sum;
  // Each has at least as many rows as there are parts to combine.
  static constexpr int64_t kMost = 16, kRows = 8 * kMost;

  const T* x;
  int64_t n, width, each;
  Sum* parts;

  static void task(void* context, int64_t i) {
    const Parts& self = *static_cast<const Parts*>(context);
    const int64_t first = i * self.each, last = std::min(self.n, first + self.each);
    Sum* out = self.parts + i * self.width;
    std::fill(out, out + self.width, identity<kind, Sum>());
    fold_rows<T, kind>(self.x + first * self.width, last - first, self.width, out);
  }

  // False if there is no memory for the parts.
  static bool run(const T* x, int64_t n, int64_t width, Sum* out) {
    const int64_t each = (n + kMost * kBand - 1) / (kMost * kBand) * kBand;
    const int64_t count = (n + each - 1) / each;
    std::unique_ptr<Sum[]> parts(new (std::nothrow) Sum[static_cast<size_t>(count * width)]);
    if (!parts) return false;
    Parts self{x, n, width, each, parts.get()};
    threads::parallel_for(task, &self, count);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = 0; k < width; ++k)
        out[k] = combine<kind>(out[k], parts[static_cast<size_t>(i * width + k)]);
    return true;
  }
};

// The walk over an array, cut where that changes no result: a long line into its halves, kept outer
// axes into rows, kept inner axes into columns; many rows whose columns are folded into parts, always
// the same ones.
template <typename T, Reduce kind>
struct Job {
  using Sum = typename Element<T>::Sum;
  static constexpr int64_t kTask = 1 << 15;  // elements

  const Layout& layout;
  const T* x;
  Sum* out;
  int64_t size, each = 0;

  static void rows(void* context, int64_t task) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t n = job.layout.lengths[0], inner = job.size / n;
    const int64_t first = task * job.each, last = std::min(n, first + job.each);
    Layout slab = job.layout;
    slab.lengths[0] = last - first;
    Walk<T, kind>(slab, job.out)
        .run(0, job.x + first * inner, (last - first) * inner, first * slab.out_steps[0]);
  }

  static void columns(void* context, int64_t task) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t n = job.layout.lengths[0], width = job.layout.lengths[1];
    const int64_t first = task * job.each, last = std::min(width, first + job.each);
    for (int64_t i = 0; i < n; ++i)  // few rows
      into<T, kind>(job.x + i * width + first, last - first, job.out + first);
  }

  void run() {
    constexpr bool early = std::is_same_v<T, bool>;
    const int64_t n = layout.ndim ? layout.lengths[0] : 1;
    if (early || size < kThreaded || layout.ndim == 0) {
      Walk<T, kind>(layout, out).run(0, x, size, 0);
    } else if (layout.ndim == 1) {
      if (layout.reduced[0]) {
        *out = combine<kind>(*out, Pieces<T, kind>::run(x, n));
      } else {
        Walk<T, kind>(layout, out).run(0, x, size, 0);
      }
    } else if (!layout.reduced[0]) {
      each = std::max<int64_t>(1, kTask / (size / n));
      threads::parallel_for(rows, this, (n + each - 1) / each);
    } else if (layout.ndim == 2) {
      const int64_t width = layout.lengths[1];
      if (n >= Parts<T, kind>::kRows && Parts<T, kind>::run(x, n, width, out)) return;
      each = std::max<int64_t>(512, kTask / n / 64 * 64);
      threads::parallel_for(columns, this, (width + each - 1) / each);
    } else {
      Walk<T, kind>(layout, out).run(0, x, size, 0);
    }
  }
};

}  // namespace
}  // namespace reduction
}  // namespace vires

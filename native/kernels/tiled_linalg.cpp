// Linear algebra on large matrices: tiles of a fixed size, each a call of OpenBLAS on one thread,
// handed to all threads. How a matrix is divided depends on its shape alone, so that any number of
// threads gives the same bits. Routines have the signature of a `library` block, as in
// small_linalg.cpp.
//
// Matrices are row-major. OpenBLAS sees them column-major, that is transposed: a lower triangle is
// an upper one. With a = L L^H in the lower triangle, OpenBLAS reads the upper triangle of a^T,
// which is U^H U for U = L^T: L comes to lie where it belongs. Large triangles are turned before and
// after, for its routines for lower triangles take two thirds of the time, and that gives them
// columns that do not get into each other's way in the cache.
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "blas.h"
#include "runtime.h"
#include "symbols.h"

namespace {

using namespace vires::small;
using vires::blas::Routines;

constexpr int64_t kTile = 128;        // rows and columns of a tile,
constexpr int64_t kLargeTile = 256;   // and of matrices from here on
constexpr int64_t kLarge = 3072;
constexpr int64_t kWhole = 256;       // up to here a matrix is one call
constexpr int64_t kTall = 4;          // tiles on top of each other that are one product
constexpr int64_t kBand = 1 << 16;    // elements that a task copies
constexpr int64_t kBlockRows = 32;    // rows of a triangle that a task turns,
constexpr int64_t kBlock = 16;        // this many at a time
constexpr int64_t kColumns = 64;      // right-hand sides of a task
constexpr int64_t kManyColumns = 16;  // tasks of right-hand sides that need no others beside them

template <typename Step>
void parallel(Runtime* runtime, int64_t count, const Step& step) {
  const auto run = [](void* context, int64_t task) {
    (*static_cast<const Step*>(context))(task);
  };
  if (count == 1) return step(0);
  if (count > 1) {
    runtime->parallel_for(runtime, run, const_cast<void*>(static_cast<const void*>(&step)), count);
  }
}

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a matrix, a band of them a task.
template <typename Step>
void for_rows(Runtime* runtime, int64_t rows, int64_t columns, const Step& step) {
  const int64_t each = std::max<int64_t>(1, kBand / std::max<int64_t>(columns, 1));
  parallel(runtime, up(rows, each), [&](int64_t task) {
    const int64_t end = std::min(rows, (task + 1) * each);
    for (int64_t i = task * each; i < end; ++i) step(i);
  });
}

template <typename T>
void lower_row(const T* a, T* factor, int64_t n, int64_t row) {
  std::copy_n(a + row * n, row + 1, factor + row * n);
  std::fill_n(factor + row * n + row + 1, n - row - 1, T{});
}

template <typename T>
void no_factor_row(T* factor, int64_t n, int64_t row) {
  std::fill_n(factor + row * n, row + 1, not_a_number<T>());
}

template <typename T>
void cholesky_of_whole(const T* a, T* factor, int64_t n) {
  for (int64_t row = 0; row < n; ++row) lower_row(a, factor, n, row);
  if (Routines<T>::potrf('U', static_cast<int32_t>(n), factor, static_cast<int32_t>(n))) return;
  for (int64_t row = 0; row < n; ++row) no_factor_row(factor, n, row);
}

// b (column-major) = the lower triangle of a (row-major), or back, with zeros above it. Blocks of
// the triangle go through the cache.
template <typename T, bool kBack>
void move_triangle(Runtime* runtime, T* a, T* b, int64_t n, int64_t stride) {
  parallel(runtime, up(n, kBlockRows), [=](int64_t task) {
    const int64_t first = task * kBlockRows, last = std::min(n, first + kBlockRows);
    for (int64_t from = 0; from < last; from += kBlock) {
      for (int64_t top = first; top < last; top += kBlock) {
        for (int64_t i = top; i < std::min(top + kBlock, last); ++i) {
          for (int64_t j = from; j < std::min(from + kBlock, i + 1); ++j) {
            if (kBack) a[i * n + j] = b[i + j * stride];
            else b[i + j * stride] = a[i * n + j];
          }
        }
      }
    }
    if (!kBack) return;
    for (int64_t i = first; i < last; ++i) std::fill_n(a + i * n + i + 1, n - i - 1, T{});
  });
}

// The lower triangle of l (column-major) becomes its factor, from the left to the right: each tile
// on the diagonal is factored by the task that makes it ready, beside the tasks of other tiles.
template <typename T>
bool factor_tiles(Runtime* runtime, T* l, int64_t n, int64_t long_stride) {
  using R = Routines<T>;
  const int64_t size = n >= kLarge ? kLargeTile : kTile, tiles = up(n, size);
  const auto stride = static_cast<int32_t>(long_stride);
  const auto tile = [=](int64_t i, int64_t j) { return l + i * size + j * size * long_stride; };
  const auto extent = [=](int64_t i, int64_t number = 1) {
    return static_cast<int32_t>(std::min(number * size, n - i * size));
  };
  std::atomic<bool> good = R::potrf('L', extent(0), l, stride);
  for (int64_t k = 0; k + 1 < tiles && good && !runtime->stop; ++k) {
    const int64_t rest = tiles - k - 1;
    parallel(runtime, rest, [&](int64_t task) {
      const int64_t i = k + 1 + task;
      R::trsm('R', 'L', 'C', 'N', extent(i), extent(k), tile(k, k), stride, tile(i, k), stride);
    });
    if (runtime->stop) break;
    const int64_t products = up(rest - 1, kTall);  // at most, in a column of tiles
    parallel(runtime, rest * (1 + products), [&](int64_t task) {
      // First the tiles on the diagonal, then the columns below them, the tallest first.
      if (task < rest) {
        const int64_t j = k + 1 + task;
        R::subtract_square(extent(j), extent(k), tile(j, k), stride, tile(j, j), stride);
        if (task == 0 && !R::potrf('L', extent(j), tile(j, j), stride)) good = false;
        return;
      }
      const int64_t j = k + 1 + (task - rest) / products;
      const int64_t i = j + 1 + (task - rest) % products * kTall;
      if (i >= tiles) return;
      R::subtract_product('N', 'C', extent(i, kTall), extent(j), extent(k), tile(i, k), stride,
                          tile(j, k), stride, tile(i, j), stride);
    });
  }
  return good;
}

// args: code, count, n.  a [n, n] -> lower triangular factor; nan where there is none.
template <typename T>
int32_t cholesky(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t count = args[1], n = args[2];
  const T* a = static_cast<const T*>(inputs[0]);
  T* factors = static_cast<T*>(outputs[0]);
  if (n <= kWhole) {
    parallel(runtime, count,
             [=](int64_t i) { cholesky_of_whole(a + i * n * n, factors + i * n * n, n); });
    return 0;
  }
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t whole = up(n, line), stride = (whole + 1 - whole % 2) * line;  // an odd number
  T* work = static_cast<T*>(runtime->allocate(runtime, n * stride * sizeof(T)));
  if (!work) return 1;
  for (int64_t i = 0; i < count && !runtime->stop; ++i) {
    T* factor = factors + i * n * n;
    move_triangle<T, false>(runtime, const_cast<T*>(a) + i * n * n, work, n, stride);
    if (runtime->stop) break;
    const bool good = factor_tiles(runtime, work, n, stride);
    if (runtime->stop) break;
    move_triangle<T, true>(runtime, factor, work, n, stride);
    if (!good) for_rows(runtime, n, n, [=](int64_t row) { no_factor_row(factor, n, row); });
  }
  return 0;
}

// A triangular system as OpenBLAS sees it: t is the transposed matrix. `left` is about the equation
// as it is written, where x is [rows, columns].
template <typename T>
struct System {
  const T* t;
  T* x;
  int64_t n, columns;  // of x in memory
  int64_t others;      // right-hand sides
  bool left, upper;    // upper: of t
  char op, diagonal;

  // Solves for the rows [from, from + size) of the unknowns and right-hand sides of a task.
  void solve(int64_t from, int64_t size, int64_t first, int64_t number) const {
    const auto n32 = static_cast<int32_t>(n), stride = static_cast<int32_t>(columns);
    const auto unknowns = static_cast<int32_t>(size), sides = static_cast<int32_t>(number);
    Routines<T>::trsm(left ? 'R' : 'L', upper ? 'U' : 'L', op, diagonal, left ? sides : unknowns,
                      left ? unknowns : sides, t + from * (n + 1), n32, place(from, first), stride);
  }

  // Takes the part of unknowns that are known, at `from`, out of the equations at `to`.
  void eliminate(int64_t from, int64_t known, int64_t to, int64_t size, int64_t first,
                 int64_t number) const {
    const auto n32 = static_cast<int32_t>(n), stride = static_cast<int32_t>(columns);
    const auto depth = static_cast<int32_t>(known), rows = static_cast<int32_t>(size),
               sides = static_cast<int32_t>(number);
    // Left: x^T -= x_known^T op(t)[known, to]; right: x -= op(t)[to, known] x_known.
    const bool plain = op == 'N';
    const int64_t row = left ? from : to, column = left ? to : from;
    const T* factor = plain ? t + row + column * n : t + column + row * n;
    if (left) {
      Routines<T>::subtract_product('N', op, sides, rows, depth, place(from, first), stride, factor,
                                    n32, place(to, first), stride);
    } else {
      Routines<T>::subtract_product(op, 'N', rows, sides, depth, factor, n32, place(from, first),
                                    stride, place(to, first), stride);
    }
  }

  T* place(int64_t unknown, int64_t side) const {
    return left ? x + side + unknown * columns : x + unknown + side * columns;
  }

  // Whether the unknowns become known from the first to the last.
  bool forward() const { return (upper == (op == 'N')) == left; }
};

template <typename T>
void solve_system(Runtime* runtime, const System<T>& s) {
  const int64_t groups = up(s.others, kColumns);
  const auto number = [&](int64_t group) {
    return std::min(kColumns, s.others - group * kColumns);
  };
  if (s.n <= kTile || groups >= kManyColumns) {
    return parallel(runtime, groups, [&](int64_t group) {
      s.solve(0, s.n, group * kColumns, number(group));
    });
  }
  const int64_t tiles = up(s.n, kTile);
  const auto begin = [&](int64_t step) { return (s.forward() ? step : tiles - 1 - step) * kTile; };
  const auto extent = [&](int64_t step) { return std::min(kTile, s.n - begin(step)); };
  parallel(runtime, groups,
           [&](int64_t group) { s.solve(begin(0), extent(0), group * kColumns, number(group)); });
  for (int64_t k = 0; k + 1 < tiles && !runtime->stop; ++k) {
    // The unknowns that come next are found by the tasks that make their equations ready.
    parallel(runtime, (tiles - k - 1) * groups, [&](int64_t task) {
      const int64_t next = k + 1 + task / groups, group = task % groups;
      s.eliminate(begin(k), extent(k), begin(next), extent(next), group * kColumns, number(group));
      if (next == k + 1) s.solve(begin(next), extent(next), group * kColumns, number(group));
    });
  }
}

// args: code, count, rows of b, columns of b, left, lower, transpose, conjugate, unit.
// a, b -> x with op(a) x = b, or x op(a) = b.
template <typename T>
int32_t triangular(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t count = args[1], rows = args[2], columns = args[3];
  const bool left = args[4], lower = args[5], transpose = args[6], conjugated = args[7];
  const bool turned = conjugated && !transpose;  // a conj(x) = conj(b): OpenBLAS knows no conj(a) x
  const int64_t n = left ? rows : columns, others = left ? columns : rows, size = rows * columns;
  if (size == 0) return 0;
  const char op = !transpose ? 'N' : conjugated ? 'C' : 'T', diagonal = args[8] ? 'U' : 'N';
  const auto copied = [=](const T* b, T* x) {
    for_rows(runtime, rows, columns, [=](int64_t row) {
      copy(b + row * columns, x + row * columns, 1, columns, false, turned);
    });
  };
  const auto one = [&](int64_t i) {
    T* x = static_cast<T*>(outputs[0]) + i * size;
    const System<T> system{static_cast<const T*>(inputs[0]) + i * n * n, x, n, columns, others,
                           left, lower, op, diagonal};
    copied(static_cast<const T*>(inputs[1]) + i * size, x);
    if (!runtime->stop) solve_system(runtime, system);
    if (turned && !runtime->stop) copied(x, x);
  };
  // Calls inside a task run on its thread alone.
  if (n <= kWhole) {
    parallel(runtime, count, one);
  } else {
    for (int64_t i = 0; i < count && !runtime->stop; ++i) one(i);
  }
  return 0;
}

using Routine = int32_t (*)(Runtime*, const int64_t*, void**, void**);

int32_t dispatch(const Routine (&routines)[4], Runtime* runtime, const int64_t* args, void** inputs,
                 void** outputs) {
  return routines[args[0] - 11](runtime, args, inputs, outputs);
}

}  // namespace

extern "C" {

int32_t vires_tiled_cholesky(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  return dispatch({cholesky<float>, cholesky<double>, cholesky<Complex<float>>,
                   cholesky<Complex<double>>},
                  runtime, args, inputs, outputs);
}

int32_t vires_tiled_triangular(Runtime* runtime, const int64_t* args, void** inputs,
                               void** outputs) {
  return dispatch({triangular<float>, triangular<double>, triangular<Complex<float>>,
                   triangular<Complex<double>>},
                  runtime, args, inputs, outputs);
}

}

VIRES_SYMBOL(vires_tiled_cholesky)
VIRES_SYMBOL(vires_tiled_triangular)

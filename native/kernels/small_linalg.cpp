// Linear algebra on stacks of small matrices: one matrix after the other, in memory on the stack,
// threaded over the stack. Every routine has the signature of a `library` block:
//
//   int32_t vires_small_x(Runtime*, const int64_t* args, void** inputs, void** outputs)
//
// Matrices are row-major; args starts with the dtype's code and the number of matrices. The
// result is 0: nothing here can fail.
#include <algorithm>
#include <cstdint>

#include "runtime.h"
#include "small_matrix.h"
#include "symbols.h"

namespace {

using namespace vires::small;

constexpr int64_t kMost = 32;              // rows and columns that fit the local arrays
constexpr int64_t kTaskWork = 1 << 16;     // arithmetic operations that are worth a task

// Runs step(i) for each matrix. How they are divided depends on their number and size alone.
template <typename Step>
void for_each(Runtime* runtime, int64_t count, int64_t work, const Step& step) {
  struct Tasks {
    const Step& step;
    int64_t count, each;
  } tasks{step, count, std::max<int64_t>(1, kTaskWork / std::max<int64_t>(work, 1))};
  const auto run = [](void* context, int64_t task) {
    auto& t = *static_cast<Tasks*>(context);
    const int64_t end = std::min(t.count, (task + 1) * t.each);
    for (int64_t i = task * t.each; i < end; ++i) t.step(i);
  };
  const int64_t number = (count + tasks.each - 1) / tasks.each;
  if (number == 1) return run(&tasks, 0);
  if (number > 1) runtime->parallel_for(runtime, run, &tasks, number);
}

// args: code, count, n, columns, transpose.
// a [n, n], b [n, columns] -> x with a x = b; nan where a is singular.
template <typename T>
void solve(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t n = args[2], columns = args[3];
  const bool transpose = args[4];
  for_each(runtime, args[1], n * n * (n + 2 * columns), [=](int64_t i) {
    T factors[kMost * kMost];
    int32_t pivots[kMost];
    copy(static_cast<const T*>(inputs[0]) + i * n * n, factors, n, n, transpose, false);
    T* x = static_cast<T*>(outputs[0]) + i * n * columns;
    std::copy_n(static_cast<const T*>(inputs[1]) + i * n * columns, n * columns, x);
    if (!lu_factor(factors, n, n, pivots)) {
      std::fill_n(x, n * columns, not_a_number<T>());
      return;
    }
    for (int64_t row = 0; row < n; ++row)
      if (pivots[row] != row)
        std::swap_ranges(x + row * columns, x + (row + 1) * columns, x + pivots[row] * columns);
    solve_left(factors, n, x, columns, true, true);
    solve_left(factors, n, x, columns, false, false);
  });
}

// args: code, count, m, n.  a [m, n] -> factors [m, n], pivots [k], permutation [m].
template <typename T>
void lu(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t m = args[2], n = args[3], k = std::min(m, n);
  for_each(runtime, args[1], m * n * k, [=](int64_t i) {
    T* factors = static_cast<T*>(outputs[0]) + i * m * n;
    int32_t* pivots = static_cast<int32_t*>(outputs[1]) + i * k;
    int32_t* order = static_cast<int32_t*>(outputs[2]) + i * m;
    std::copy_n(static_cast<const T*>(inputs[0]) + i * m * n, m * n, factors);
    lu_factor(factors, m, n, pivots);
    for (int64_t row = 0; row < m; ++row) order[row] = static_cast<int32_t>(row);
    for (int64_t row = 0; row < k; ++row) std::swap(order[row], order[pivots[row]]);
  });
}

// args: code, count, n.  a [n, n] -> lower triangular factor; nan where there is none.
template <typename T>
void cholesky(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t n = args[2];
  for_each(runtime, args[1], n * n * n / 2, [=](int64_t i) {
    const T* a = static_cast<const T*>(inputs[0]) + i * n * n;
    T* factor = static_cast<T*>(outputs[0]) + i * n * n;
    for (int64_t row = 0; row < n; ++row) {
      std::copy_n(a + row * n, row + 1, factor + row * n);
      std::fill_n(factor + row * n + row + 1, n - row - 1, T{});
    }
    if (cholesky_factor(factor, n)) return;
    for (int64_t row = 0; row < n; ++row)
      std::fill_n(factor + row * n, row + 1, not_a_number<T>());
  });
}

// args: code, count, rows of b, columns of b, left, lower, transpose, conjugate, unit.
// a, b -> x with op(a) x = b, or x op(a) = b.
template <typename T>
void triangular(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const int64_t rows = args[2], columns = args[3];
  const bool left = args[4], transpose = args[6], conjugate = args[7], unit = args[8];
  const bool lower = (args[5] != 0) != transpose;  // of op(a)
  const int64_t n = left ? rows : columns;
  for_each(runtime, args[1], n * rows * columns, [=](int64_t i) {
    T a[kMost * kMost];
    copy(static_cast<const T*>(inputs[0]) + i * n * n, a, n, n, transpose, conjugate);
    T* x = static_cast<T*>(outputs[0]) + i * rows * columns;
    std::copy_n(static_cast<const T*>(inputs[1]) + i * rows * columns, rows * columns, x);
    if (left) return solve_left(a, n, x, columns, lower, unit);
    for (int64_t row = 0; row < rows; ++row) solve_right(a, n, x + row * columns, lower, unit);
  });
}

using Routine = void (*)(Runtime*, const int64_t*, void**, void**);

// The routine for the dtype code: float32, float64, complex64, complex128.
int32_t dispatch(const Routine (&routines)[4], Runtime* runtime, const int64_t* args, void** inputs,
              void** outputs) {
  routines[args[0] - 11](runtime, args, inputs, outputs);
  return 0;
}

}  // namespace

extern "C" {

int32_t vires_small_solve(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  return dispatch({solve<float>, solve<double>, solve<Complex<float>>, solve<Complex<double>>},
                  runtime, args, inputs, outputs);
}

int32_t vires_small_lu(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  return dispatch({lu<float>, lu<double>, lu<Complex<float>>, lu<Complex<double>>}, runtime, args,
                  inputs, outputs);
}

int32_t vires_small_cholesky(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  return dispatch({cholesky<float>, cholesky<double>, cholesky<Complex<float>>,
            cholesky<Complex<double>>},
           runtime, args, inputs, outputs);
}

int32_t vires_small_triangular(Runtime* runtime, const int64_t* args, void** inputs,
                               void** outputs) {
  return dispatch({triangular<float>, triangular<double>, triangular<Complex<float>>,
            triangular<Complex<double>>},
           runtime, args, inputs, outputs);
}

}

VIRES_SYMBOL(vires_small_solve)
VIRES_SYMBOL(vires_small_lu)
VIRES_SYMBOL(vires_small_cholesky)
VIRES_SYMBOL(vires_small_triangular)

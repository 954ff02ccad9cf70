#include "product.h"

#include <algorithm>

#include "product_kernels.h"
#include "threads.h"

namespace vires {
namespace {

constexpr int64_t kMostWork = 32 * 32 * 32;  // multiplications of a product that is done here
constexpr int64_t kMostRows = 1 << 16;       // elements of a matrix whose rows are multiplied here
constexpr int64_t kBlock = 4096;             // elements of a vector that are summed side by side
constexpr int64_t kThreadedBlocks = 64;
// A product of matrices by NumPy is done by blocks of so many multiplications, and of so many rows.
constexpr int64_t kWorkAtOnce = 4'000'000'000, kRowsAtOnce = 256;

struct Separate {  // multiplies, then adds
  template <class V>
  static V add_product(V sum, V a, V b) {
    return sum + a * b;
  }
};

// What the machine can do, asked once.
template <class T>
const ProductKernels<T>& work() {
  static constexpr ProductKernels<T> plain{block_dot<T, Separate>, small_product<T, Separate>};
  static const ProductKernels<T>& chosen = fused_kernels<T>() ? *fused_kernels<T>() : plain;
  return chosen;
}

template <class T>
struct Dot {
  const T *x, *y;
  int64_t n;
  T* sums;

  static void task(void* context, int64_t block) {
    const Dot& self = *static_cast<const Dot*>(context);
    const int64_t start = block * kBlock;
    self.sums[block] =
        work<T>().dot(self.x + start, self.y + start, std::min(kBlock, self.n - start));
  }
};

// Blocks of one size, added in pairs.
template <class T>
T dot(const T* x, const T* y, int64_t n) {
  if (n <= kBlock) return work<T>().dot(x, y, n);
  int64_t blocks = (n + kBlock - 1) / kBlock;
  StackVector<T, 512> sums;
  sums.resize(static_cast<size_t>(blocks));
  Dot<T> job{x, y, n, sums.data()};
  if (blocks < kThreadedBlocks) {
    for (int64_t block = 0; block < blocks; ++block) Dot<T>::task(&job, block);
  } else {
    threads::parallel_for(Dot<T>::task, &job, blocks);
  }
  for (; blocks > 1; blocks = (blocks + 1) / 2)
    for (int64_t i = 0; i < (blocks + 1) / 2; ++i)
      sums[i] = 2 * i + 1 < blocks ? sums[2 * i] + sums[2 * i + 1] : sums[2 * i];
  return sums[0];
}

// False: not for us.
template <class T>
bool here(const Array* x, const Array* y, const int64_t* sizes, Array* result) {
  const T *left = reinterpret_cast<const T*>(x->data), *right = reinterpret_cast<const T*>(y->data);
  T* out = reinterpret_cast<T*>(result->data);
  const int64_t m = sizes[0], k = sizes[1], n = sizes[2];
  if (m == 1 && n == 1) {
    *out = dot(left, right, k);
    return true;
  }
  if (n == 1 && (!sizes[3] || m == 1) && m * k <= kMostRows) {
    for (int64_t i = 0; i < m; ++i) out[i] = dot(left + i * k, right, k);
    return true;
  }
  if (m == 1 && (sizes[4] || n == 1) && n * k <= kMostRows) {
    for (int64_t j = 0; j < n; ++j) out[j] = dot(left, right + j * k, k);
    return true;
  }
  if (std::max({m, k, n}) > kMostSide || m * n * k > kMostWork) return false;
  work<T>().product(left, right, sizes, out);
  return true;
}

// An ndarray over the memory, turned when its axes are.
PyObject* matrix(Array* array, bool turned) {
  Owned view(array_numpy(array));
  if (!view || !turned) return view.release();
  return PyArray_Transpose(reinterpret_cast<PyArrayObject*>(view.get()), nullptr);
}

bool multiply(PyObject* left, PyObject* right, PyObject* out) {
  const Owned done(PyArray_MatrixProduct2(left, right, reinterpret_cast<PyArrayObject*>(out)));
  return static_cast<bool>(done);
}

bool by_numpy(Array* x, Array* y, const int64_t* sizes, Array* result) {
  const Owned left(matrix(x, sizes[3] != 0)), right(matrix(y, sizes[4] != 0));
  if (!left || !right) return false;
  npy_intp dims[2];
  for (int d = 0; d < result->ndim; ++d) dims[d] = static_cast<npy_intp>(result->dims[d]);
  PyArray_Descr* descr = dtypes[result->code].descr;
  Py_INCREF(descr);
  const Owned out(PyArray_NewFromDescr(&PyArray_Type, descr, result->ndim, dims, nullptr,
                                       result->data, NPY_ARRAY_CARRAY, nullptr));
  if (!out) return false;
  const int64_t rows = sizes[0];
  const int64_t step = std::max(kRowsAtOnce, kWorkAtOnce / (sizes[1] * sizes[2] + 1));
  if (result->ndim < 2 || rows < 2 * step) return multiply(left.get(), right.get(), out.get());
  for (int64_t row = 0; row < rows; row += step) {  // Ctrl-C does not wait for a large product
    const int64_t end = std::min(row + step, rows);
    const Owned block(PySequence_GetSlice(left.get(), row, end));
    const Owned target(PySequence_GetSlice(out.get(), row, end));
    if (!block || !target || !multiply(block.get(), right.get(), target.get())) return false;
    if (PyErr_CheckSignals() != 0) return false;
  }
  return true;
}

}  // namespace

bool array_product(Array* x, Array* y, const int64_t* sizes, Array* result) {
  if (x->code == kFloat32 && here<float>(x, y, sizes, result)) return true;
  if (x->code == kFloat64 && here<double>(x, y, sizes, result)) return true;
  return by_numpy(x, y, sizes, result);
}

}  // namespace vires

// Products of vectors and matrices at once: small ones here, others by NumPy's BLAS.
#pragma once

#include "array.h"

namespace vires {

// sizes: rows of x, contracted length, columns of y, whether x is [length, rows], whether y is
// [columns, length]. How it is computed depends on these and on the dtype alone. False with an
// exception.
bool array_product(Array* x, Array* y, const int64_t* sizes, Array* result);

}  // namespace vires

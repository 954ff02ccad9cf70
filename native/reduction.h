// Reductions of concrete arrays at once: sums, products, extremes and bits along axes.
#pragma once

#include "array.h"

namespace vires {

enum class Reduce { kSum, kProduct, kMaximum, kMinimum, kAnd, kOr, kXor };

// A new array without the axes whose bit is set in `axes`; None where there is no such reduction of
// this dtype. The order of combination depends on the shape alone.
PyObject* array_reduce(Array* array, Reduce kind, uint64_t axes);

}  // namespace vires

// Reductions of concrete arrays at once: sums, products, extremes and bits along axes.
#pragma once

#include "array.h"

namespace vires {

enum class Reduce { kSum, kProduct, kMaximum, kMinimum, kAnd, kOr, kXor };

// A new array without the axes whose bit is set in `axes`; None where there is no such reduction of
// this dtype. The order of combination depends on the shape alone.
PyObject* array_reduce(Array* array, Reduce kind, uint64_t axes);

// The positions along one axis of the first largest (or smallest) elements, a nan before all others.
// The axes after it have `inner` elements. `result` holds int32 or int64; false with an exception.
bool array_position(Array* array, bool largest, int64_t length, int64_t inner, Array* result);
// Whether array_position knows the dtype.
bool has_position(int code);

}  // namespace vires

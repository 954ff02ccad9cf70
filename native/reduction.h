// Reductions of concrete arrays at once: sums, products, extremes and bits along axes.
#pragma once

#include "array.h"

namespace vires {

enum class Reduce { kSum, kProduct, kMaximum, kMinimum, kAnd, kOr, kXor };

// A new array without the axes whose bit is set in `axes`, of the dtype with that code: that of the
// array, or for sums of integers of 8 and 16 bits and bools a wider one. None where there is no such
// reduction. The order of combination depends on the shape alone.
PyObject* array_reduce(Array* array, Reduce kind, uint64_t axes, int code);

// The positions along one axis of the first largest (or smallest) elements, a nan before all others.
// The axes after it have `inner` elements. `result` holds int32 or int64; false with an exception.
bool array_position(Array* array, bool largest, int64_t length, int64_t inner, Array* result);
// Whether array_position knows the dtype.
bool has_position(int code);

}  // namespace vires

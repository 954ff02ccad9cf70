// NumPy's arrays and scalars as operands of native calls.
#pragma once

#include "array.h"

namespace vires {

// The code of an exact ndarray's elements, or of one of NumPy's own scalars; -1, without an
// exception, for everything else, and where Python has to choose the type (context.truncates).
int numpy_code(PyObject* object);

// The bytes of a scalar that has a code.
void read_numpy_scalar(PyObject* scalar, char* out);

// A copy as an Array of a value that has a code; null with an exception.
PyObject* array_from_numpy_value(PyObject* object, int code);

}  // namespace vires

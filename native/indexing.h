// Basic indexing of concrete arrays: integers, slices, None and `...`.
#pragma once

#include "array.h"

namespace vires {

bool indexing_ready();

// x[index]. Null without an exception: not a basic index, or one outside the array, for Python.
PyObject* basic_index(Array* array, PyObject* index);

// An iterator over the slices along the first axis; the array has at least one.
PyObject* iterate(Array* array);

}  // namespace vires

// Indexing of concrete arrays: integers, slices, None, `...`, arrays of integers and masks.
#pragma once

#include "array.h"

namespace vires {

bool indexing_ready();

// x[index]. Null without an exception: another index, or one outside the array, for Python.
PyObject* index_array(Array* array, PyObject* index);

// An iterator over the slices along the first axis; the array has at least one.
PyObject* iterate(Array* array);

}  // namespace vires

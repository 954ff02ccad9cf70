// State that every fast call consults: tracing, configuration, and Python's converters.
#pragma once

#include "common.h"

namespace vires {

// True while this thread stages a program: calls then go to Python.
extern thread_local bool tracing;

struct Context {
  int64_t number = 0;   // which configuration is in force; part of every signature
  bool wide = false;       // Python numbers become 64-bit arrays
  bool truncates = false;  // NumPy's 64-bit values become 32-bit arrays
  int64_t key() const { return number * 4 + wide * 2 + truncates; }
};
extern Context context;

// f(ndarray or NumPy scalar) -> Array.
extern PyObject* converter;
// f(object) -> (leaves, treedef), or None for a leaf.
extern PyObject* flattener;

// The code of the array that a Python number of exact type `type` becomes; -1 for other types.
int scalar_code(PyTypeObject* type);

}  // namespace vires

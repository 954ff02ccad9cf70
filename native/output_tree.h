// The output of a function, built from its leaves along a skeleton of builtin containers.
#pragma once

#include "common.h"

namespace vires {

// A skeleton is a nest of exact tuples, lists, dicts and None with leaf numbers at its leaves.
// 1: it is one; 0: it holds something else; -1: Python exception.
int check_skeleton(PyObject* skeleton, Py_ssize_t leaves);

// The skeleton with each leaf number replaced by that leaf; null with an exception.
PyObject* fill_skeleton(PyObject* skeleton, PyObject* const* leaves);

}  // namespace vires

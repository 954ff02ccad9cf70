// A canonical text of a program.
#pragma once

#include "common.h"

namespace vires {

// The text of a program with its scalar constants; other constants count by their types, all do if
// `constants` is None. Python's `text` gives the texts of parameters that are not known here, and
// `as_array` arrays of scalars that are none. A new reference to bytes, or null with an exception.
PyObject* program_text(PyObject* program, PyObject* constants, PyObject* text,
                       PyObject* as_array);

}  // namespace vires

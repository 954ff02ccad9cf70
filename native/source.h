// Which line of the user's code is being run.
#pragma once

#include "common.h"

namespace vires {

// What Python tells once: the class of lines, a tuple of (code, instruction, scope); the object
// whose attribute `name` is the current scope; what the names of this package's files begin with.
bool set_source(PyObject* line_type, PyObject* scope, PyObject* prefix);

// A new reference to the innermost line of the calling stack that is outside the package, or to
// None.
PyObject* source_line();

}  // namespace vires

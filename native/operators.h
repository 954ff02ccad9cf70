// Operators of Array: slots that call what Python registered; basic indexing and iteration of
// concrete arrays need no Python, and reach it only while a program is staged.
#pragma once

#include "common.h"

namespace vires {

// Takes a dict from names ("add", "eq", "getitem", ...) to callables, or None for none; unknown names
// are refused. Returns a dict of what was registered under these names before; null on error.
PyObject* set_operators(PyObject* callables);

// Lets operands of `type` (and its subclasses) reach the registered callables.
bool register_operand_type(PyObject* type);

// Whether an instance of the type (a tracer, for example) was registered as an operand.
bool is_registered_operand(PyTypeObject* type);

}  // namespace vires

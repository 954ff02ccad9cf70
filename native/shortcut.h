// Shortcut and Property: calls and attributes of concrete arrays that need no Python. What a
// shortcut does not know, and every call while a program is staged, goes to the function of the same
// meaning in Python.
#pragma once

#include "array.h"

namespace vires {

// Null without an exception: not for us.
using ShortcutFunction = PyObject* (*)(PyObject* const* args, Py_ssize_t count,
                                       PyObject* keywords);

bool shortcut_ready(PyObject* module);

// Defined by the files that know them.
ShortcutFunction find_view_shortcut(const char* name);
ShortcutFunction find_creation_shortcut(const char* name);
ShortcutFunction find_update_shortcut(const char* name);
ShortcutFunction find_search_shortcut(const char* name);

}  // namespace vires

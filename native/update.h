// Changed copies: x.at[index].set(y), .add(y) and .multiply(y) of concrete arrays.
#pragma once

#include "shortcut.h"

namespace vires {

// The native bases of what x.at and x.at[index] are.
bool update_ready(PyObject* module);
// The Python classes, derived from the bases, of which shortcuts make instances.
bool set_update_types(PyObject* at, PyObject* update);

}  // namespace vires

// vires._native.CompiledFunction: what jit returns.
#pragma once

#include "common.h"

namespace vires {

bool compiled_function_ready(PyObject* module);

}  // namespace vires

// vires._native.EagerOp: an elementwise function of concrete arrays.
#pragma once

#include "common.h"

namespace vires {

bool eager_ready(PyObject* module);

}  // namespace vires

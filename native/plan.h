// Plan: resolved operations of an eager call, run one after the other without Python.
#pragma once

#include "common.h"

namespace vires {

bool plan_ready(PyObject* module);

}  // namespace vires

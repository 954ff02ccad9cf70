// Operation and Recorder: binding an operation, and recording it as an equation of a program.
#pragma once

#include "common.h"

namespace vires {

bool recorder_ready(PyObject* module);

// What has the attributes `trace` and `source` that are current, told once.
void set_thread(PyObject* object);

}  // namespace vires

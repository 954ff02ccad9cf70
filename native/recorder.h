// Operation and Recorder: binding an operation, and recording it as an equation of a program.
#pragma once

#include "common.h"

namespace vires {

bool recorder_ready(PyObject* module);

// What Python tells once: the object whose attributes `trace` and `source` are current, and the
// classes of tracers, variables and equations.
bool set_recording(PyObject* thread, PyObject* tracer, PyObject* variable, PyObject* equation);

}  // namespace vires

// The classes of programs: written in Python, read and made here by the places of their slots.
#pragma once

#include "common.h"

namespace vires {

// The base of primitives: what it takes to record and name one.
struct Operation {
  PyObject_HEAD
  PyObject* name;
  PyObject* infer;
  PyObject* partial;  // null or None: has no such rule
  char multiple_results;
};

extern PyTypeObject* operation_type;

inline Operation* as_operation(PyObject* self) { return reinterpret_cast<Operation*>(self); }

struct ProgramTypes {
  PyTypeObject *aval = nullptr, *tracer = nullptr, *variable = nullptr, *literal = nullptr,
               *equation = nullptr, *program = nullptr;
  struct { Py_ssize_t shape, dtype, weak_type; } of_aval;
  struct { Py_ssize_t trace, variable, aval; } of_tracer;
  struct { Py_ssize_t aval; } of_variable;
  struct { Py_ssize_t aval, value; } of_literal;
  struct { Py_ssize_t invars, outvars, primitive, params, source; } of_equation;
  struct { Py_ssize_t constvars, invars, outvars, equations; } of_program;
};

extern ProgramTypes program_types;

// Tells the classes; false with an exception if one lacks a slot.
bool set_program_types(PyObject* aval, PyObject* tracer, PyObject* variable,
                       PyObject* literal, PyObject* equation, PyObject* program);

// A slot of an object; null if it was never set.
inline PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

}  // namespace vires

// What the callable types share: vectorcall, an instance dict, weak references, method binding.
#pragma once

#include "common.h"

namespace vires {

struct Callable {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* dict;
  PyObject* weakrefs;
};

extern PyMemberDef callable_members[];
extern PyGetSetDef callable_getters[];

// Binds as Python functions do.
PyObject* callable_get(PyObject* self, PyObject* object, PyObject* type);

// Pickles by qualified name, as functions do.
PyObject* callable_reduce(PyObject* self, PyObject*);

int callable_traverse(PyObject* self, visitproc visit, void* arg);
void callable_clear(PyObject* self);

}  // namespace vires

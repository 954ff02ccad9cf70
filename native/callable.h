// What the callable types share: vectorcall, an instance dict, weak references, method binding.
#pragma once

#include <initializer_list>

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

// A type of callables, put into the module: `own` are its slots besides those that all share.
bool add_callable_type(PyObject* module, const char* name, size_t size,
                       std::initializer_list<PyType_Slot> own, unsigned long flags = 0);

int callable_traverse(PyObject* self, visitproc visit, void* arg);
void callable_clear(PyObject* self);

}  // namespace vires

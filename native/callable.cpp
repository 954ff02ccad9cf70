#include "callable.h"

namespace vires {

PyMemberDef callable_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Callable, vectorcall), Py_READONLY, nullptr},
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(Callable, dict), Py_READONLY, nullptr},
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Callable, weakrefs), Py_READONLY, nullptr},
    {}};

PyGetSetDef callable_getters[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

PyObject* callable_get(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, object);
}

PyObject* callable_reduce(PyObject* self, PyObject*) {
  PyObject* name = PyObject_GetAttrString(self, "__qualname__");
  if (name) return name;
  PyErr_Clear();
  return PyObject_GetAttrString(self, "__name__");
}

int callable_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<Callable*>(self)->dict);
  return 0;
}

void callable_clear(PyObject* self) { Py_CLEAR(reinterpret_cast<Callable*>(self)->dict); }

}  // namespace vires

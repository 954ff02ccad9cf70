#include "callable.h"

#include <cstring>
#include <vector>

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

bool add_callable_type(PyObject* module, const char* name, size_t size,
                       std::initializer_list<PyType_Slot> own, unsigned long flags) {
  std::vector<PyType_Slot> slots(own);
  slots.insert(slots.end(), {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                             {Py_tp_descr_get, reinterpret_cast<void*>(callable_get)},
                             {Py_tp_getset, callable_getters},
                             {Py_tp_members, callable_members},
                             {0, nullptr}});
  PyType_Spec spec = {name, static_cast<int>(size), 0,
                      static_cast<unsigned>(flags | Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                            Py_TPFLAGS_HAVE_VECTORCALL |
                                            Py_TPFLAGS_METHOD_DESCRIPTOR),
                      slots.data()};
  const Owned type(PyType_FromSpec(&spec));
  return type && PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type.get()) == 0;
}

int callable_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<Callable*>(self)->dict);
  return 0;
}

void callable_clear(PyObject* self) { Py_CLEAR(reinterpret_cast<Callable*>(self)->dict); }

}  // namespace vires

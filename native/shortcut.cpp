#include "shortcut.h"

#include "callable.h"
#include "context.h"

namespace vires {
namespace {

struct Shortcut {
  Callable base;
  ShortcutFunction function;
  PyObject* fallback;
};

Shortcut* as_shortcut(PyObject* self) { return reinterpret_cast<Shortcut*>(self); }

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  const Shortcut* shortcut = as_shortcut(self);
  if (!tracing) {
    PyObject* result = shortcut->function(args, PyVectorcall_NARGS(nargsf), keywords);
    if (result || PyErr_Occurred()) return result;
  }
  if (!shortcut->fallback) {
    PyErr_SetString(PyExc_RuntimeError, "Shortcut: called while it is being destroyed");
    return nullptr;
  }
  return PyObject_Vectorcall(shortcut->fallback, args, nargsf, keywords);
}

ShortcutFunction find(const char* name) {
  if (const ShortcutFunction found = find_view_shortcut(name)) return found;
  if (const ShortcutFunction found = find_creation_shortcut(name)) return found;
  if (const ShortcutFunction found = find_update_shortcut(name)) return found;
  if (const ShortcutFunction found = find_search_shortcut(name)) return found;
  PyErr_Format(PyExc_ValueError, "Shortcut: knows no function '%s'", name);
  return nullptr;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"name", "fallback", nullptr};
  const char* name;
  PyObject* fallback;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO:Shortcut", const_cast<char**>(names), &name,
                                   &fallback))
    return nullptr;
  const ShortcutFunction function = find(name);
  if (!function) return nullptr;
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  Shortcut* shortcut = as_shortcut(self.get());
  shortcut->base.vectorcall = call;
  shortcut->function = function;
  shortcut->fallback = Py_NewRef(fallback);
  return Py_NewRef(self.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_shortcut(self)->fallback);
  return callable_traverse(self, visit, arg);
}

int clear(PyObject* self) {
  Py_CLEAR(as_shortcut(self)->fallback);
  callable_clear(self);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_shortcut(self)->base.weakrefs) PyObject_ClearWeakRefs(self);
  clear(self);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// As a property: what the shortcut gives for the array alone.
PyObject* read(PyObject* self, PyObject* object, PyObject* type) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return call(self, &object, 1, nullptr);
}

int refuse(PyObject* self, PyObject* object, PyObject* value) {
  PyErr_SetString(PyExc_AttributeError, "arrays are immutable: the attribute cannot be set");
  return -1;
}

PyMethodDef methods[] = {
    {"__reduce__", callable_reduce, METH_NOARGS, "Pickles by qualified name."},
    {}};

PyType_Slot common(int slot, void* value) { return {slot, value}; }

bool add_type(PyObject* module, const char* name, const char* doc, descrgetfunc get,
              descrsetfunc set, unsigned long flags) {
  PyType_Slot slots[] = {
      common(Py_tp_doc, const_cast<char*>(doc)),
      common(Py_tp_new, reinterpret_cast<void*>(create)),
      common(Py_tp_dealloc, reinterpret_cast<void*>(dealloc)),
      common(Py_tp_traverse, reinterpret_cast<void*>(traverse)),
      common(Py_tp_clear, reinterpret_cast<void*>(clear)),
      common(Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)),
      common(Py_tp_descr_get, reinterpret_cast<void*>(get)),
      common(Py_tp_methods, methods),
      common(Py_tp_getset, callable_getters),
      common(Py_tp_members, callable_members),
      common(set ? Py_tp_descr_set : 0, reinterpret_cast<void*>(set)),
      {0, nullptr}};
  PyType_Spec spec = {name, sizeof(Shortcut), 0,
                      static_cast<unsigned>(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                            Py_TPFLAGS_HAVE_VECTORCALL | flags),
                      slots};
  const Owned type(PyType_FromSpec(&spec));
  return type && PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type.get()) == 0;
}

}  // namespace

bool shortcut_ready(PyObject* module) {
  return add_type(module, "vires._native.Shortcut", "A function of arrays that needs no Python.",
                  callable_get, nullptr, Py_TPFLAGS_METHOD_DESCRIPTOR) &&
         add_type(module, "vires._native.Property", "An attribute of arrays that needs no Python.",
                  read, refuse, 0);
}

}  // namespace vires

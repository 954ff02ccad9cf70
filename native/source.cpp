#include "source.h"

namespace vires {
namespace {

PyTypeObject* line_type = nullptr;
PyObject* scope = nullptr;
PyObject* prefix = nullptr;
PyObject* name_of_scope = nullptr;
// By file, whether it is one of the package's. Not by code: Python computes the hash of a code
// object anew each time, from all of its instructions.
PyObject* internal = nullptr;

// 1 for a file of the package, 0 for another, -1 with an exception.
int is_internal(PyObject* file) {
  PyObject* known = PyDict_GetItemWithError(internal, file);
  if (!known) {
    if (PyErr_Occurred()) return -1;
    const Py_ssize_t begins =
        PyUnicode_Tailmatch(file, prefix, 0, PY_SSIZE_T_MAX, /*direction=*/-1);
    if (begins < 0) return -1;
    known = begins ? Py_True : Py_False;
    if (PyDict_SetItem(internal, file, known) < 0) return -1;
  }
  return known == Py_True;
}

PyObject* make_line(PyFrameObject* frame, PyCodeObject* code) {
  const Owned name(PyObject_GetAttr(scope, name_of_scope));
  const Owned instruction(PyLong_FromLong(PyFrame_GetLasti(frame)));
  if (!name || !instruction) return nullptr;
  PyObject* line = line_type->tp_alloc(line_type, 3);
  if (!line) return nullptr;
  PyTuple_SET_ITEM(line, 0, Py_NewRef(reinterpret_cast<PyObject*>(code)));
  PyTuple_SET_ITEM(line, 1, Py_NewRef(instruction.get()));
  PyTuple_SET_ITEM(line, 2, Py_NewRef(name.get()));
#if PY_VERSION_HEX >= 0x030E0000
  // A tuple keeps its hash; -1 says that it is not known yet.
  reinterpret_cast<PyTupleObject*>(line)->ob_hash = -1;
#endif
  return line;
}

}  // namespace

bool set_source(PyObject* type, PyObject* current, PyObject* start) {
  if (!PyType_Check(type) ||
      !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), &PyTuple_Type) ||
      !PyUnicode_Check(start)) {
    PyErr_SetString(PyExc_TypeError, "set_source: needs a class of tuples, and a text");
    return false;
  }
  if (!internal) internal = PyDict_New();
  if (!name_of_scope) name_of_scope = PyUnicode_InternFromString("name");
  if (!internal || !name_of_scope) return false;
  Py_XSETREF(line_type, reinterpret_cast<PyTypeObject*>(Py_NewRef(type)));
  Py_XSETREF(scope, Py_NewRef(current));
  Py_XSETREF(prefix, Py_NewRef(start));
  return true;
}

PyObject* source_line() {
  if (!line_type) {
    PyErr_SetString(PyExc_RuntimeError, "source_line: needs set_source before");
    return nullptr;
  }
  Owned frame(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(PyThreadState_Get())));
  while (frame) {
    auto* const current = reinterpret_cast<PyFrameObject*>(frame.get());
    const Owned code(reinterpret_cast<PyObject*>(PyFrame_GetCode(current)));
    auto* const known = reinterpret_cast<PyCodeObject*>(code.get());
    const int inside = is_internal(known->co_filename);
    if (inside < 0) return nullptr;
    if (!inside) return make_line(current, known);
    frame = Owned(reinterpret_cast<PyObject*>(PyFrame_GetBack(current)));
  }
  return Py_NewRef(Py_None);
}

}  // namespace vires

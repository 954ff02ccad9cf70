// The output of a function, built from its leaves along a skeleton of builtin containers.
#include "output_tree.h"

namespace vires {

int check_skeleton(PyObject* skeleton, Py_ssize_t leaves) {
  if (skeleton == Py_None) return 1;
  if (PyLong_CheckExact(skeleton)) {
    const Py_ssize_t leaf = PyLong_AsSsize_t(skeleton);
    if (leaf == -1 && PyErr_Occurred()) return -1;
    if (leaf >= 0 && leaf < leaves) return 1;
    PyErr_Format(PyExc_ValueError,
                 "set_output_tree: needs leaf numbers below the %zd outputs; got %zd", leaves, leaf);
    return -1;
  }
  if (PyDict_CheckExact(skeleton)) {
    PyObject* value;
    Py_ssize_t position = 0;
    while (PyDict_Next(skeleton, &position, nullptr, &value)) {
      const int good = check_skeleton(value, leaves);
      if (good != 1) return good;
    }
    return 1;
  }
  if (!PyTuple_CheckExact(skeleton) && !PyList_CheckExact(skeleton)) return 0;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(skeleton); ++i) {
    const int good = check_skeleton(PySequence_Fast_GET_ITEM(skeleton, i), leaves);
    if (good != 1) return good;
  }
  return 1;
}

PyObject* fill_skeleton(PyObject* skeleton, PyObject* const* leaves) {
  if (PyLong_CheckExact(skeleton)) return Py_NewRef(leaves[PyLong_AsSsize_t(skeleton)]);
  if (PyTuple_CheckExact(skeleton)) {
    const Py_ssize_t size = PyTuple_GET_SIZE(skeleton);
    PyObject* result = PyTuple_New(size);
    for (Py_ssize_t i = 0; result && i < size; ++i) {
      PyObject* item = fill_skeleton(PyTuple_GET_ITEM(skeleton, i), leaves);
      if (!item) {
        Py_CLEAR(result);
      } else {
        PyTuple_SET_ITEM(result, i, item);
      }
    }
    return result;
  }
  if (PyList_CheckExact(skeleton)) {
    const Py_ssize_t size = PyList_GET_SIZE(skeleton);
    PyObject* result = PyList_New(size);
    for (Py_ssize_t i = 0; result && i < size; ++i) {
      PyObject* item = fill_skeleton(PyList_GET_ITEM(skeleton, i), leaves);
      if (!item) {
        Py_CLEAR(result);
      } else {
        PyList_SET_ITEM(result, i, item);
      }
    }
    return result;
  }
  if (PyDict_CheckExact(skeleton)) {
    // A copy keeps the table's layout: the values are replaced under keys that are there.
    PyObject* result = PyDict_Copy(skeleton);
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (result && PyDict_Next(skeleton, &position, &key, &value)) {
      const Owned item(fill_skeleton(value, leaves));
      if (!item || PyDict_SetItem(result, key, item.get()) < 0) Py_CLEAR(result);
    }
    return result;
  }
  return Py_NewRef(Py_None);
}

}  // namespace vires

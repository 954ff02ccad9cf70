// Shortcuts from values to arrays: array, asarray.
#include "context.h"
#include "numpy_value.h"
#include "shortcut.h"

namespace vires {
namespace {

// Nested lists and tuples of exact Python floats and ints, all of one shape.
class Nest {
 public:
  // False: not for us.
  bool measure(PyObject* object, int depth) {
    if (!PyList_CheckExact(object) && !PyTuple_CheckExact(object)) {
      if (ndim_ < 0) ndim_ = depth;
      floats_ |= PyFloat_CheckExact(object);
      return ndim_ == depth && (PyFloat_CheckExact(object) || PyLong_CheckExact(object));
    }
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(object);
    if (size == 0 || depth == kDepth) return false;
    if (ndim_ < 0 && depth == reached_) {
      dims_[depth] = size;
      ++reached_;
    }
    if (depth >= reached_ || dims_[depth] != size) return false;
    for (Py_ssize_t i = 0; i < size; ++i)
      if (!measure(PySequence_Fast_GET_ITEM(object, i), depth + 1)) return false;
    return true;
  }

  PyObject* make(PyObject* object) const {
    const int code = scalar_code(floats_ ? &PyFloat_Type : &PyLong_Type);
    Array* array = array_new(code, false, ndim_, dims_);
    if (!array) return nullptr;
    char* next = array->data;
    if (write(object, code, &next)) return as_object(array);
    Py_DECREF(as_object(array));
    return nullptr;
  }

 private:
  static constexpr int kDepth = 8;

  static bool write(PyObject* object, int code, char** next) {
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i)
        if (!write(PySequence_Fast_GET_ITEM(object, i), code, next)) return false;
      return true;
    }
    if (write_scalar(object, code, *next) != 1) return false;
    *next += dtypes[code].itemsize;
    return true;
  }

  int ndim_ = -1, reached_ = 0;
  bool floats_ = false;
  int64_t dims_[kDepth];
};

PyObject* from_value(PyObject* object) {
  if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) {
    Nest nest;
    return nest.measure(object, 0) ? nest.make(object) : nullptr;
  }
  const int scalar = scalar_code(Py_TYPE(object));
  if (scalar >= 0) return array_from_scalar(object, scalar, scalar != kBool);
  const int code = numpy_code(object);
  return code < 0 ? nullptr : array_from_numpy_value(object, code);
}

bool alone(Py_ssize_t count, PyObject* keywords) {
  return count == 1 && (!keywords || PyTuple_GET_SIZE(keywords) == 0);
}

PyObject* asarray(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!alone(count, keywords)) return nullptr;
  return is_array(args[0]) ? Py_NewRef(args[0]) : from_value(args[0]);
}

PyObject* array(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!alone(count, keywords)) return nullptr;
  if (!is_array(args[0])) return from_value(args[0]);
  Array* x = as_array(args[0]);
  if (!x->buffer || !array_check(x)) return nullptr;
  return as_object(array_share(x->buffer, x->data, x->code, x->weak, x->ndim, x->dims));
}

}  // namespace

ShortcutFunction find_creation_shortcut(const char* name) {
  if (std::strcmp(name, "asarray") == 0) return asarray;
  if (std::strcmp(name, "array") == 0) return array;
  return nullptr;
}

}  // namespace vires

#include "context.h"

#include "dtype.h"

namespace vires {

thread_local bool tracing = false;
Context context;
PyObject* converter = nullptr;
PyObject* flattener = nullptr;

int scalar_code(PyTypeObject* type) {
  if (type == &PyFloat_Type) return context.wide ? kFloat64 : kFloat32;
  if (type == &PyLong_Type) return context.wide ? kInt64 : kInt32;
  if (type == &PyBool_Type) return kBool;
  if (type == &PyComplex_Type) return context.wide ? kComplex128 : kComplex64;
  return -1;
}

}  // namespace vires

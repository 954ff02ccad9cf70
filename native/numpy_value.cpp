#include "numpy_value.h"

#include "context.h"

namespace vires {
namespace {

struct ScalarType {
  PyTypeObject* type;
  int code;
};

int scalar_type_code(PyTypeObject* type) {
  static const ScalarType types[] = {
      {&PyFloatArrType_Type, kFloat32},   {&PyDoubleArrType_Type, kFloat64},
      {&PyIntArrType_Type, kInt32},       {&PyLongArrType_Type, kInt64},
      {&PyBoolArrType_Type, kBool},       {&PyByteArrType_Type, kInt8},
      {&PyShortArrType_Type, kInt16},     {&PyUByteArrType_Type, kUInt8},
      {&PyUShortArrType_Type, kUInt16},   {&PyUIntArrType_Type, kUInt32},
      {&PyULongArrType_Type, kUInt64},    {&PyHalfArrType_Type, kFloat16},
      {&PyCFloatArrType_Type, kComplex64}, {&PyCDoubleArrType_Type, kComplex128}};
  static_assert(sizeof(int) == 4 && sizeof(long) == 8, "C integers as on 64-bit Unix");
  for (const ScalarType& entry : types)
    if (entry.type == type) return dtypes[entry.code].object ? entry.code : -1;
  return -1;
}

}  // namespace

int numpy_code(PyObject* object) {
  if (context.truncates) return -1;
  if (PyArray_CheckExact(object))
    return code_of_type_number(PyArray_TYPE(reinterpret_cast<PyArrayObject*>(object)));
  return scalar_type_code(Py_TYPE(object));
}

void read_numpy_scalar(PyObject* scalar, char* out) { PyArray_ScalarAsCtype(scalar, out); }

PyObject* array_from_numpy_value(PyObject* object, int code) {
  if (PyArray_CheckExact(object)) return array_from_ndarray(object, code, false, false);
  Array* array = array_new(code, false, 0, nullptr);
  if (array) read_numpy_scalar(object, array->data);
  return as_object(array);
}

}  // namespace vires

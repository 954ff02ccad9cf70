#include "operators.h"

#include <vector>

#include "array.h"
#include "context.h"
#include "indexing.h"

namespace vires {
namespace {

enum Operator : int {
  kAdd, kSubtract, kMultiply, kTrueDivide, kFloorDivide, kRemainder, kDivmod, kPower, kMatmul,
  kLeftShift, kRightShift, kAnd, kOr, kXor, kNegative, kPositive, kAbsolute, kInvert,
  kLess, kLessEqual, kEqual, kNotEqual, kGreater, kGreaterEqual, kGetItem, kIterate,
  kOperators,
};

const char* const names[kOperators] = {
    "add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul",
    "lshift", "rshift", "and", "or", "xor", "neg", "pos", "abs", "invert",
    "lt", "le", "eq", "ne", "gt", "ge", "getitem", "iter"};

PyObject* callables[kOperators];
std::vector<PyTypeObject*> operand_types;

bool accepts(PyObject* operand) {
  PyTypeObject* type = Py_TYPE(operand);
  if (type == array_type || type == &PyFloat_Type || type == &PyLong_Type) return true;
  if (PyLong_Check(operand) || PyFloat_Check(operand) || PyComplex_Check(operand)) return true;
  return PyArray_Check(operand) || PyArray_CheckScalar(operand) || is_registered_operand(type);
}

PyObject* missing(int which) {
  PyErr_Format(PyExc_TypeError, "Array: no callable is registered for the operator %s",
               names[which]);
  return nullptr;
}

template <int Which>
PyObject* binary(PyObject* left, PyObject* right) {
  if (!accepts(left) || !accepts(right)) Py_RETURN_NOTIMPLEMENTED;
  if (!callables[Which]) return missing(Which);
  PyObject* operands[] = {left, right};
  return PyObject_Vectorcall(callables[Which], operands, 2, nullptr);
}

template <int Which>
PyObject* unary(PyObject* operand) {
  if (!callables[Which]) return missing(Which);
  return PyObject_Vectorcall(callables[Which], &operand, 1, nullptr);
}

PyObject* power(PyObject* base, PyObject* exponent, PyObject* modulus) {
  if (modulus != Py_None) {
    PyErr_SetString(PyExc_TypeError, "pow: needs two arguments for arrays; try (x ** y) % z");
    return nullptr;
  }
  return binary<kPower>(base, exponent);
}

PyObject* compare(PyObject* left, PyObject* right, int operation) {
  static constexpr int which[] = {kLess, kLessEqual, kEqual, kNotEqual, kGreater, kGreaterEqual};
  if (!accepts(right)) Py_RETURN_NOTIMPLEMENTED;
  if (!callables[which[operation]]) return missing(which[operation]);
  PyObject* operands[] = {left, right};
  return PyObject_Vectorcall(callables[which[operation]], operands, 2, nullptr);
}

PyObject* subscript(PyObject* self, PyObject* index) {
  if (!tracing) {
    PyObject* result = index_array(as_array(self), index);
    if (result || PyErr_Occurred()) return result;
  }
  if (!callables[kGetItem]) return missing(kGetItem);
  PyObject* operands[] = {self, index};
  return PyObject_Vectorcall(callables[kGetItem], operands, 2, nullptr);
}

PyObject* iterator(PyObject* self) {
  if (!tracing && as_array(self)->ndim > 0) return iterate(as_array(self));
  return unary<kIterate>(self);
}

int assign(PyObject*, PyObject*, PyObject* value) {
  if (value) {
    PyErr_SetString(PyExc_TypeError,
                    "'vires.Array' object does not support item assignment: arrays are immutable; "
                    "instead of x[i] = y, write x = x.at[i].set(y), and instead of x[i] += y, "
                    "x = x.at[i].add(y)");
  } else {
    PyErr_SetString(PyExc_TypeError,
                    "'vires.Array' object does not support item deletion: arrays are immutable; "
                    "instead of del x[i], write x = vires.numpy.delete(x, i)");
  }
  return -1;
}

template <class Function>
constexpr void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

PyType_Slot array_operator_slots[] = {
    {Py_nb_add, slot(binary<kAdd>)},
    {Py_nb_subtract, slot(binary<kSubtract>)},
    {Py_nb_multiply, slot(binary<kMultiply>)},
    {Py_nb_true_divide, slot(binary<kTrueDivide>)},
    {Py_nb_floor_divide, slot(binary<kFloorDivide>)},
    {Py_nb_remainder, slot(binary<kRemainder>)},
    {Py_nb_divmod, slot(binary<kDivmod>)},
    {Py_nb_power, slot(power)},
    {Py_nb_matrix_multiply, slot(binary<kMatmul>)},
    {Py_nb_lshift, slot(binary<kLeftShift>)},
    {Py_nb_rshift, slot(binary<kRightShift>)},
    {Py_nb_and, slot(binary<kAnd>)},
    {Py_nb_or, slot(binary<kOr>)},
    {Py_nb_xor, slot(binary<kXor>)},
    {Py_nb_negative, slot(unary<kNegative>)},
    {Py_nb_positive, slot(unary<kPositive>)},
    {Py_nb_absolute, slot(unary<kAbsolute>)},
    {Py_nb_invert, slot(unary<kInvert>)},
    {Py_tp_richcompare, slot(compare)},
    {Py_tp_iter, slot(iterator)},
    {Py_mp_subscript, slot(subscript)},
    {Py_mp_ass_subscript, slot(assign)},
    {0, nullptr}};

PyObject* set_operators(PyObject* table) {
  Owned before(PyDict_New());
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (before && PyDict_Next(table, &position, &key, &value)) {
    int which = 0;
    while (which < kOperators &&
           !(PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, names[which]) == 0))
      ++which;
    if (which == kOperators || (value != Py_None && !PyCallable_Check(value))) {
      PyErr_Format(PyExc_ValueError,
                   "set_operators: needs operator names with callables; got %R: %R", key, value);
      return nullptr;
    }
    PyObject* old = callables[which] ? callables[which] : Py_None;
    if (PyDict_SetItem(before.get(), key, old) < 0) return nullptr;
    Py_XSETREF(callables[which], value == Py_None ? nullptr : Py_NewRef(value));
  }
  return before.release();
}

bool register_operand_type(PyObject* type) {
  if (!PyType_Check(type)) {
    PyErr_Format(PyExc_TypeError, "register_operand_type: needs a type; got %R", type);
    return false;
  }
  operand_types.push_back(reinterpret_cast<PyTypeObject*>(Py_NewRef(type)));
  return true;
}

bool is_registered_operand(PyTypeObject* type) {
  for (PyTypeObject* registered : operand_types)
    if (type == registered || PyType_IsSubtype(type, registered)) return true;
  return false;
}

}  // namespace vires

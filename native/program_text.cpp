#include "program_text.h"

#include <string>
#include <unordered_map>

#include "array.h"
#include "program_types.h"

namespace vires {
namespace {

PyObject* name_name() {
  static PyObject* const name = PyUnicode_InternFromString("name");
  return name;
}

class Writer {
 public:
  Writer(PyObject* text, PyObject* as_array) : text_(text), as_array_(as_array) {}

  bool write(PyObject* program, PyObject* constants) {
    const auto& slots = program_types.of_program;
    PyObject* constvars = slot(program, slots.constvars);
    PyObject* invars = slot(program, slots.invars);
    PyObject* equations = slot(program, slots.equations);
    PyObject* outvars = slot(program, slots.outvars);
    for (PyObject* list : {constvars, invars, equations, outvars})
      if (!list || !PyList_Check(list)) return wrong("lists in a program");
    // Python code may run in between: the lists are kept, and looked at anew each time.
    const Owned kept[] = {Owned::borrow(constvars), Owned::borrow(invars),
                          Owned::borrow(equations), Owned::borrow(outvars)};
    const bool known = constants != Py_None;
    if (known && (!PyList_Check(constants) ||
                  PyList_GET_SIZE(constants) != PyList_GET_SIZE(constvars)))
      return wrong("a list of all constants");
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(constvars); ++i) {
      PyObject* variable = PyList_GET_ITEM(constvars, i);
      number(variable);
      if (!add_type_of(variable) ||
          (known && !add_if_scalar(PyList_GET_ITEM(constants, i), type_of(variable))))
        return false;
      out_ += ';';
    }
    out_ += '|';
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(invars); ++i) {
      PyObject* variable = PyList_GET_ITEM(invars, i);
      number(variable);
      if (!add_type_of(variable)) return false;
      out_ += ';';
    }
    out_ += '|';
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(equations); ++i) {
      const Owned equation = Owned::borrow(PyList_GET_ITEM(equations, i));
      if (!add_equation(equation.get())) return false;
      out_ += ';';
    }
    out_ += '|';
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(outvars); ++i) {
      if (!add_atom(PyList_GET_ITEM(outvars, i))) return false;
      out_ += ';';
    }
    return true;
  }

  PyObject* result() const {
    return PyBytes_FromStringAndSize(out_.data(), static_cast<Py_ssize_t>(out_.size()));
  }

 private:
  static bool wrong(const char* needs) {
    PyErr_Format(PyExc_TypeError, "program_text: needs %s", needs);
    return false;
  }

  void number(PyObject* variable) {
    numbers_[variable] = static_cast<uint32_t>(numbers_.size());
  }

  // A text of Python's.
  bool add(PyObject* text) {
    Py_ssize_t size;
    const char* data = text ? PyUnicode_AsUTF8AndSize(text, &size) : nullptr;
    if (data) out_.append(data, static_cast<size_t>(size));
    return data != nullptr;
  }

  bool add_new(PyObject* text) {
    const Owned owned(text);
    return owned && add(owned.get());
  }

  // Null without an exception if it has none.
  static PyObject* type_of(PyObject* variable) {
    return slot(variable, program_types.of_variable.aval);
  }

  bool add_type_of(PyObject* variable) {
    if (!PyObject_TypeCheck(variable, program_types.variable)) return wrong("variables");
    return add_type(type_of(variable));
  }

  bool add_type(PyObject* aval) {
    if (!aval || !Py_IS_TYPE(aval, program_types.aval)) return wrong("types");
    PyObject* dtype = slot(aval, program_types.of_aval.dtype);
    PyObject* shape = slot(aval, program_types.of_aval.shape);
    if (!dtype || !shape) return wrong("types with a dtype and a shape");
    if (slot(aval, program_types.of_aval.weak_type) == Py_True) out_ += 'w';
    return add_dtype(dtype) && add_value(shape);
  }

  // By its number, or by its name if arrays cannot have it.
  bool add_dtype(PyObject* dtype) {
    for (int code = 0; code < kMaxCodes; ++code)
      if (dtypes[code].object == dtype) {
        out_ += std::to_string(code);
        return true;
      }
    return add_new(PyObject_GetAttr(dtype, name_name()));
  }

  // The bits of a value whose type says that it is a scalar.
  bool add_if_scalar(PyObject* value, PyObject* aval) {
    PyObject* shape = slot(aval, program_types.of_aval.shape);
    if (!PyTuple_Check(shape) || PyTuple_GET_SIZE(shape)) return true;
    const Owned array(is_array(value) ? Py_NewRef(value) : PyObject_CallOneArg(as_array_, value));
    if (!array) return false;
    if (!is_array(array.get())) return wrong("scalars that are arrays");
    Array* known = vires::as_array(array.get());
    if (!array_check(known)) return false;
    out_ += ':';
    for (int64_t i = 0; i < known->nbytes(); ++i) {
      out_ += "0123456789abcdef"[static_cast<uint8_t>(known->data[i]) >> 4];
      out_ += "0123456789abcdef"[known->data[i] & 15];
    }
    return true;
  }

  bool add_atom(PyObject* atom) {
    if (Py_IS_TYPE(atom, program_types.literal)) {
      const Owned value = Owned::borrow(slot(atom, program_types.of_literal.value));
      const Owned aval = Owned::borrow(slot(atom, program_types.of_literal.aval));
      return value ? add_type(aval.get()) && add_if_scalar(value.get(), aval.get())
                   : wrong("literals with values");
    }
    const auto found = numbers_.find(atom);
    if (found == numbers_.end()) return wrong("variables that are defined before");
    out_ += 'v';
    out_ += std::to_string(found->second);
    return true;
  }

  bool add_equation(PyObject* equation) {
    if (!Py_IS_TYPE(equation, program_types.equation)) return wrong("equations");
    const auto& slots = program_types.of_equation;
    PyObject* primitive = slot(equation, slots.primitive);
    PyObject* invars = slot(equation, slots.invars);
    PyObject* outvars = slot(equation, slots.outvars);
    PyObject* params = slot(equation, slots.params);
    if (!primitive || !PyObject_TypeCheck(primitive, operation_type) ||
        !as_operation(primitive)->name)
      return wrong("primitives");
    if (!invars || !outvars || !params || !PyList_Check(invars) || !PyList_Check(outvars) ||
        !PyDict_Check(params))
      return wrong("whole equations");
    const Owned kept[] = {Owned::borrow(invars), Owned::borrow(outvars), Owned::borrow(params)};
    if (!add(as_operation(primitive)->name)) return false;
    out_ += '[';
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(params, &position, &key, &value)) {
      const Owned held = Owned::borrow(value);
      if (!add(key)) return false;
      out_ += '=';
      if (!add_value(value)) return false;
      out_ += ',';
    }
    out_ += "](";
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(invars); ++i) {
      if (!add_atom(PyList_GET_ITEM(invars, i))) return false;
      out_ += ',';
    }
    out_ += ")->";
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(outvars); ++i) {
      PyObject* variable = PyList_GET_ITEM(outvars, i);
      number(variable);
      if (!add_type_of(variable)) return false;
      out_ += ',';
    }
    return true;
  }

  bool add_values(PyObject* tuple) {
    out_ += '(';
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
      if (i) out_ += ',';
      if (!add_value(PyTuple_GET_ITEM(tuple, i))) return false;
    }
    out_ += ')';
    return true;
  }

  // A parameter.
  bool add_value(PyObject* value) {
    if (PyLong_CheckExact(value)) {
      int overflow;
      const long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
      if (overflow) return add_new(PyObject_Repr(value));
      out_ += std::to_string(small);
      return true;
    }
    if (value == Py_None || PyBool_Check(value)) {
      out_ += value == Py_None ? "None" : value == Py_True ? "True" : "False";
      return true;
    }
    if (PyTuple_CheckExact(value)) {
      if (Py_EnterRecursiveCall(" in the text of a parameter")) return false;
      const bool good = add_values(value);
      Py_LeaveRecursiveCall();
      return good;
    }
    return add_new(PyObject_CallOneArg(text_, value));
  }

  PyObject* text_;
  PyObject* as_array_;
  std::string out_;
  std::unordered_map<PyObject*, uint32_t> numbers_;
};

}  // namespace

PyObject* program_text(PyObject* program, PyObject* constants, PyObject* text,
                       PyObject* as_array) {
  if (!program_types.program || !Py_IS_TYPE(program, program_types.program)) {
    PyErr_Format(PyExc_TypeError, "program_text: needs a jaxpr; got %R", program);
    return nullptr;
  }
  Writer writer(text, as_array);
  return writer.write(program, constants) ? writer.result() : nullptr;
}

}  // namespace vires

#include "program_types.h"

#include <initializer_list>

namespace vires {
namespace {

struct Wanted {
  const char* name;
  Py_ssize_t* offset;
};

bool find_slots(PyObject* type, std::initializer_list<Wanted> slots) {
  if (!PyType_Check(type)) {
    PyErr_Format(PyExc_TypeError, "set_program_types: needs a class; got %R", type);
    return false;
  }
  for (const Wanted& wanted : slots) {
    const Owned member(PyObject_GetAttrString(type, wanted.name));
    if (!member) return false;
    if (!Py_IS_TYPE(member.get(), &PyMemberDescr_Type)) {
      PyErr_Format(PyExc_TypeError, "set_program_types: needs a slot %s of %R", wanted.name, type);
      return false;
    }
    *wanted.offset = reinterpret_cast<PyMemberDescrObject*>(member.get())->d_member->offset;
  }
  return true;
}

}  // namespace

PyTypeObject* operation_type = nullptr;
ProgramTypes program_types;

bool set_program_types(PyObject* aval, PyObject* tracer, PyObject* variable,
                       PyObject* literal, PyObject* equation, PyObject* program) {
  ProgramTypes found;
  if (!find_slots(aval, {{"shape", &found.of_aval.shape},
                         {"dtype", &found.of_aval.dtype},
                         {"weak_type", &found.of_aval.weak_type}}) ||
      !find_slots(tracer, {{"_trace", &found.of_tracer.trace},
                           {"variable", &found.of_tracer.variable},
                           {"aval", &found.of_tracer.aval}}) ||
      !find_slots(variable, {{"aval", &found.of_variable.aval}}) ||
      !find_slots(literal, {{"aval", &found.of_literal.aval}, {"val", &found.of_literal.value}}) ||
      !find_slots(equation, {{"invars", &found.of_equation.invars},
                             {"outvars", &found.of_equation.outvars},
                             {"primitive", &found.of_equation.primitive},
                             {"params", &found.of_equation.params},
                             {"source", &found.of_equation.source}}) ||
      !find_slots(program, {{"constvars", &found.of_program.constvars},
                            {"invars", &found.of_program.invars},
                            {"outvars", &found.of_program.outvars},
                            {"eqns", &found.of_program.equations}}))
    return false;
  // For good: the classes live as long as the process.
  const auto keep = [](PyObject* type) {
    return reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
  };
  found.aval = keep(aval);
  found.tracer = keep(tracer);
  found.variable = keep(variable);
  found.literal = keep(literal);
  found.equation = keep(equation);
  found.program = keep(program);
  program_types = found;
  return true;
}

}  // namespace vires

#include "recorder.h"

#include "program_types.h"
#include "source.h"

#if PY_VERSION_HEX < 0x030C0000
#define Py_T_BOOL T_BOOL
#endif

namespace vires {
namespace {

// The base of the interpreter that records.
struct Recorder {
  PyObject_HEAD
  PyObject* eqns;
  PyObject* parent;
  // Operations on nothing that it owns go to the parent.
  char passes_on;
};

Recorder* as_recorder(PyObject* self) { return reinterpret_cast<Recorder*>(self); }

PyTypeObject* recorder_type = nullptr;

// What has the attributes `trace` and `source` that are current.
PyObject* thread = nullptr;

PyObject* name_trace;
PyObject* name_source;
PyObject* name_process;
PyObject* name_atom;
PyObject* name_aval;
PyObject* name_to_parent;
PyObject* name_partly;

// Objects of Python classes, made without their __init__.
PyObject* allocate(PyTypeObject* type) { return type->tp_alloc(type, 0); }

PyObject* make_variable(PyObject* aval) {
  PyObject* variable = allocate(program_types.variable);
  if (variable) slot(variable, program_types.of_variable.aval) = Py_NewRef(aval);
  return variable;
}

PyObject* make_tracer(PyObject* trace, PyObject* variable, PyObject* aval) {
  PyObject* tracer = allocate(program_types.tracer);
  if (!tracer) return nullptr;
  slot(tracer, program_types.of_tracer.trace) = Py_NewRef(trace);
  slot(tracer, program_types.of_tracer.variable) = Py_NewRef(variable);
  slot(tracer, program_types.of_tracer.aval) = Py_NewRef(aval);
  return tracer;
}

bool is_own(PyObject* trace, PyObject* operand) {
  return Py_IS_TYPE(operand, program_types.tracer) &&
         slot(operand, program_types.of_tracer.trace) == trace;
}

// --- recording

// The user's line that an operation belongs to.
PyObject* current_line() {
  PyObject* line = PyObject_GetAttr(thread, name_source);
  if (!line || line != Py_None) return line;
  Py_DECREF(line);
  return source_line();
}

// Adds an equation; takes over the references to operands and results.
bool append(Recorder* trace, Owned invars, Owned outvars, PyObject* primitive, PyObject* params) {
  const Owned line(current_line());
  if (!line) return false;
  const auto& slots = program_types.of_equation;
  const Owned equation(allocate(program_types.equation));
  if (!equation) return false;
  slot(equation.get(), slots.invars) = invars.release();
  slot(equation.get(), slots.outvars) = outvars.release();
  slot(equation.get(), slots.primitive) = Py_NewRef(primitive);
  slot(equation.get(), slots.params) = Py_NewRef(params);
  slot(equation.get(), slots.source) = Py_NewRef(line.get());
  return PyList_Append(trace->eqns, equation.get()) == 0;
}

// The variable or literal of an operand, and its type.
bool find_atom(PyObject* trace, PyObject* operand, Owned* atom, Owned* aval) {
  if (is_own(trace, operand)) {
    *atom = Owned::borrow(slot(operand, program_types.of_tracer.variable));
    *aval = Owned::borrow(slot(operand, program_types.of_tracer.aval));
  } else {
    *atom = Owned(PyObject_CallMethodOneArg(trace, name_atom, operand));
    if (*atom) *aval = Owned(PyObject_GetAttr(atom->get(), name_aval));
  }
  return *atom && *aval;
}

// A list of tracers for several results.
PyObject* record_results(PyObject* trace, Owned invars, PyObject* primitive, PyObject* params,
                         PyObject* inferred) {
  const Owned avals(PySequence_Fast(inferred, "infer: needs a sequence of types"));
  if (!avals) return nullptr;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(avals.get());
  Owned outvars(PyList_New(count)), tracers(PyList_New(count));
  if (!outvars || !tracers) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* aval = PySequence_Fast_GET_ITEM(avals.get(), i);
    PyObject* variable = make_variable(aval);
    if (!variable) return nullptr;
    PyList_SET_ITEM(outvars.get(), i, variable);
    PyObject* tracer = make_tracer(trace, variable, aval);
    if (!tracer) return nullptr;
    PyList_SET_ITEM(tracers.get(), i, tracer);
  }
  if (!append(as_recorder(trace), std::move(invars), std::move(outvars), primitive, params))
    return nullptr;
  return tracers.release();
}

PyObject* record(PyObject* trace, PyObject* primitive, PyObject* operands, PyObject* params) {
  if (!program_types.tracer || !as_recorder(trace)->eqns || !as_operation(primitive)->infer) {
    PyErr_SetString(PyExc_RuntimeError,
                    "record: needs set_program_types, equations and a rule infer");
    return nullptr;
  }
  const Owned values(PySequence_Fast(operands, "process: needs a sequence of operands"));
  if (!values) return nullptr;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(values.get());
  Owned invars(PyList_New(count));
  if (!invars) return nullptr;
  References<8> avals;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Owned atom, aval;
    if (!find_atom(trace, PySequence_Fast_GET_ITEM(values.get(), i), &atom, &aval)) return nullptr;
    PyList_SET_ITEM(invars.get(), i, atom.release());
    avals.push(aval.release());
  }
  const Operation* operation = as_operation(primitive);
  const Owned infer = Owned::borrow(operation->infer);
  const Owned inferred(PyObject_VectorcallDict(infer.get(), avals.data(),
                                               static_cast<size_t>(count), params));
  if (!inferred) return nullptr;
  if (operation->multiple_results)
    return record_results(trace, std::move(invars), primitive, params, inferred.get());
  const Owned variable(make_variable(inferred.get()));
  Owned outvars(PyList_New(1));
  if (!variable || !outvars) return nullptr;
  PyList_SET_ITEM(outvars.get(), 0, Py_NewRef(variable.get()));
  Owned tracer(make_tracer(trace, variable.get(), inferred.get()));
  if (!tracer ||
      !append(as_recorder(trace), std::move(invars), std::move(outvars), primitive, params))
    return nullptr;
  return tracer.release();
}

// Whether an operand belongs to the trace; -1 with an exception.
int owns_any(PyObject* trace, PyObject* operands) {
  const Owned values(PySequence_Fast(operands, "process: needs a sequence of operands"));
  if (!values) return -1;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(values.get()); ++i)
    if (is_own(trace, PySequence_Fast_GET_ITEM(values.get(), i))) return 1;
  return 0;
}

bool check_arguments(PyObject* const* args, Py_ssize_t count) {
  if (count == 3 && PyObject_TypeCheck(args[0], operation_type) && PyDict_Check(args[2]))
    return true;
  PyErr_SetString(PyExc_TypeError, "process: needs a primitive, operands and parameters");
  return false;
}

PyObject* recorder_process(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!check_arguments(args, count)) return nullptr;
  if (!as_recorder(self)->passes_on) return record(self, args[0], args[1], args[2]);
  const int own = owns_any(self, args[1]);
  if (own < 0) return nullptr;
  PyObject* message[] = {self, args[0], args[1], args[2]};
  const size_t four = 4 | PY_VECTORCALL_ARGUMENTS_OFFSET;
  if (!own) {
    // A parent that records calls nothing that asks which interpreter is current.
    const Owned parent = Owned::borrow(as_recorder(self)->parent);
    if (parent && PyObject_TypeCheck(parent.get(), recorder_type)) {
      message[0] = parent.get();
      return PyObject_VectorcallMethod(name_process, message, four, nullptr);
    }
    return PyObject_VectorcallMethod(name_to_parent, message, four, nullptr);
  }
  PyObject* partial = as_operation(args[0])->partial;
  if (partial && partial != Py_None)
    return PyObject_VectorcallMethod(name_partly, message, four, nullptr);
  return record(self, args[0], args[1], args[2]);
}

// `record(primitive, operands, params)`: whatever the operands are.
PyObject* recorder_record(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  return check_arguments(args, count) ? record(self, args[0], args[1], args[2]) : nullptr;
}

// --- operations

// Applies the operation under the current interpreter.
PyObject* operation_call(PyObject* self, PyObject* operands, PyObject* keywords) {
  if (!thread) {
    PyErr_SetString(PyExc_RuntimeError, "bind: needs set_thread before");
    return nullptr;
  }
  const Owned trace(PyObject_GetAttr(thread, name_trace));
  if (!trace) return nullptr;
  // An equation keeps the parameters: a dict that somebody else holds may change.
  const Owned params(!keywords ? PyDict_New()
                     : Py_REFCNT(keywords) > 1 ? PyDict_Copy(keywords)
                                               : Py_NewRef(keywords));
  if (!params) return nullptr;
  PyObject* message[] = {trace.get(), self, operands, params.get()};
  return PyObject_VectorcallMethod(name_process, message, 4 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                   nullptr);
}

// --- the types

int traverse_operation(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_operation(self)->name);
  Py_VISIT(as_operation(self)->infer);
  Py_VISIT(as_operation(self)->partial);
  return 0;
}

int clear_operation(PyObject* self) {
  Py_CLEAR(as_operation(self)->name);
  Py_CLEAR(as_operation(self)->infer);
  Py_CLEAR(as_operation(self)->partial);
  return 0;
}

int traverse_recorder(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_recorder(self)->eqns);
  Py_VISIT(as_recorder(self)->parent);
  return 0;
}

int clear_recorder(PyObject* self) {
  Py_CLEAR(as_recorder(self)->eqns);
  Py_CLEAR(as_recorder(self)->parent);
  return 0;
}

template <inquiry kClear>
void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  kClear(self);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef operation_members[] = {
    {"name", Py_T_OBJECT_EX, offsetof(Operation, name), 0, nullptr},
    {"infer", Py_T_OBJECT_EX, offsetof(Operation, infer), 0, nullptr},
    {"partial", Py_T_OBJECT_EX, offsetof(Operation, partial), 0, nullptr},
    {"multiple_results", Py_T_BOOL, offsetof(Operation, multiple_results), 0, nullptr},
    {}};

PyMethodDef operation_methods[] = {
    {"bind", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(operation_call)),
     METH_VARARGS | METH_KEYWORDS, "bind($self, /, *operands, **params)\n--\n\n"
     "Apply the operation under the current interpreter."},
    {}};

PyMemberDef recorder_members[] = {
    {"eqns", Py_T_OBJECT_EX, offsetof(Recorder, eqns), 0, nullptr},
    {"parent", Py_T_OBJECT_EX, offsetof(Recorder, parent), 0, nullptr},
    {"passes_on", Py_T_BOOL, offsetof(Recorder, passes_on), 0, nullptr},
    {}};

PyMethodDef recorder_methods[] = {
    {"process", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(recorder_process)),
     METH_FASTCALL, "Record an operation, or hand it to the parent."},
    {"record", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(recorder_record)),
     METH_FASTCALL, "Record an operation."},
    {}};

PyTypeObject* make_type(PyObject* module, const char* name, size_t size, PyType_Slot* slots) {
  PyType_Spec spec = {name, static_cast<int>(size), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type && PyModule_AddObjectRef(module, std::strrchr(name, '.') + 1, type) < 0)
    Py_CLEAR(type);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

bool recorder_ready(PyObject* module) {
  const std::pair<PyObject**, const char*> names[] = {
      {&name_trace, "trace"},      {&name_source, "source"}, {&name_process, "process"},
      {&name_atom, "atom"},        {&name_aval, "aval"},     {&name_to_parent, "process_in_parent"},
      {&name_partly, "process_partly"}};
  for (const auto& [place, text] : names)
    if (!(*place = PyUnicode_InternFromString(text))) return false;
  PyType_Slot operation[] = {
      {Py_tp_doc, const_cast<char*>("What an operation needs to be bound and recorded.")},
      {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc<clear_operation>)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse_operation)},
      {Py_tp_clear, reinterpret_cast<void*>(clear_operation)},
      {Py_tp_call, reinterpret_cast<void*>(operation_call)},
      {Py_tp_methods, operation_methods},
      {Py_tp_members, operation_members},
      {0, nullptr}};
  PyType_Slot recorder[] = {
      {Py_tp_doc, const_cast<char*>("An interpreter that records operations as equations.")},
      {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc<clear_recorder>)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse_recorder)},
      {Py_tp_clear, reinterpret_cast<void*>(clear_recorder)},
      {Py_tp_methods, recorder_methods},
      {Py_tp_members, recorder_members},
      {0, nullptr}};
  operation_type = make_type(module, "vires._native.Operation", sizeof(Operation), operation);
  recorder_type = make_type(module, "vires._native.Recorder", sizeof(Recorder), recorder);
  return operation_type && recorder_type;
}

void set_thread(PyObject* object) { Py_XSETREF(thread, Py_NewRef(object)); }

}  // namespace vires

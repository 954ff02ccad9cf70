#include "executable.h"

#include "call_list.h"
#include "output_tree.h"

namespace vires {

PyTypeObject* executable_type = nullptr;

namespace {

Program* program_of(PyObject* self) { return reinterpret_cast<Executable*>(self)->program; }

bool read_dims(PyObject* shape, int code, std::vector<int64_t>* dims, int64_t* nbytes) {
  int64_t lengths[kMaxDims];
  const int ndim = parse_shape(shape, lengths);
  if (ndim < 0 || !check_code(code)) return false;
  dims->assign(lengths, lengths + ndim);
  *nbytes = dtypes[code].itemsize;
  for (int64_t length : *dims) *nbytes *= length;
  return true;
}

// Reads the address of an entry, or a list of calls. False with an exception.
bool read_entry(PyObject* entry, const char* what, Program* program) {
  if (const CallList* calls = call_list_in(entry)) {
    program->entry = nullptr;
    program->calls = calls;
    return true;
  }
  void* address = PyLong_AsVoidPtr(entry);
  if (!address) {
    if (!PyErr_Occurred())
      PyErr_Format(PyExc_ValueError, "%s: needs the address of an entry; got 0", what);
    return false;
  }
  program->entry = reinterpret_cast<int32_t (*)(void**, Runtime*)>(address);
  program->calls = nullptr;
  return true;
}

bool read_inputs(PyObject* list, Program* program) {
  const Owned items(PySequence_Fast(list, "Executable: needs a list of inputs"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* shape;
    InputSpec spec{};
    if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items.get(), i), "Oi", &shape, &spec.code) ||
        !read_dims(shape, spec.code, &spec.dims, &spec.nbytes))
      return false;
    program->inputs.push_back(std::move(spec));
  }
  return true;
}

bool read_outputs(PyObject* list, Program* program) {
  const Owned items(PySequence_Fast(list, "Executable: needs a list of outputs"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* shape;
    int weak;
    OutputSpec spec{};
    spec.donor = spec.input = spec.constant = -1;
    if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items.get(), i), "Oip", &shape, &spec.code,
                          &weak) ||
        !read_dims(shape, spec.code, &spec.dims, &spec.nbytes))
      return false;
    spec.weak = weak;
    program->outputs.push_back(std::move(spec));
  }
  return true;
}

bool read_constants(PyObject* list, Program* program) {
  const Owned items(PySequence_Fast(list, "Executable: needs a list of constants"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* constant = PySequence_Fast_GET_ITEM(items.get(), i);
    if (!is_array(constant)) {
      PyErr_Format(PyExc_TypeError, "Executable: needs Arrays as constants; got %R",
                   Py_TYPE(constant));
      return false;
    }
    Array* array = as_array(constant);
    if (!array_check(array)) return false;
    // A view of its own, so that a delete() by the user does not take the program's memory.
    Array* own = array_share(array->buffer, array->data, array->code, array->weak, array->ndim,
                             array->dims);
    if (!own) return false;
    program->constants.emplace_back(as_object(own));
  }
  return true;
}

bool read_host_functions(PyObject* list, Program* program) {
  const Owned items(PySequence_Fast(list, "Executable: needs a list of host functions"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(items.get(), i);
    PyObject* callable;
    long long buffers;
    if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "OL", &callable, &buffers) ||
        !PyCallable_Check(callable) || buffers < 0) {
      PyErr_Clear();
      PyErr_Format(PyExc_TypeError,
                   "Executable: needs host functions as (callable, number of buffers); got %R",
                   item);
      return false;
    }
    program->host_functions.push_back({Py_NewRef(callable), buffers});
  }
  return true;
}

int index_below(PyObject* number, size_t limit, const char* what) {
  const long value = PyLong_AsLong(number);
  if (value == -1 && PyErr_Occurred()) return -1;
  if (value >= 0 && value < static_cast<long>(limit)) return static_cast<int>(value);
  PyErr_Format(PyExc_ValueError, "Executable: needs the number of an %s below %zu; got %ld", what,
               limit, value);
  return -1;
}

bool same_bytes(const char* what, int output, int64_t output_bytes, int64_t source_bytes) {
  if (output_bytes == source_bytes) return true;
  PyErr_Format(PyExc_ValueError, "Executable: output %d has %lld bytes, its %s %lld", output,
               static_cast<long long>(output_bytes), what, static_cast<long long>(source_bytes));
  return false;
}

bool read_donations(PyObject* donate, PyObject* donated, Program* program) {
  PyObject *key, *value;
  Py_ssize_t position = 0;
  std::vector<bool> taken(program->inputs.size());
  while (donate != Py_None && PyDict_Next(donate, &position, &key, &value)) {
    const int k = index_below(key, program->outputs.size(), "output");
    const int j = k < 0 ? -1 : index_below(value, program->inputs.size(), "input");
    if (j < 0) return false;
    if (!same_bytes("donor", k, program->outputs[k].nbytes, program->inputs[j].nbytes))
      return false;
    if (taken[j]) {
      PyErr_Format(PyExc_ValueError, "Executable: input %d is donated to two outputs", j);
      return false;
    }
    taken[j] = true;
    program->outputs[k].donor = j;
    program->donates = true;
  }
  if (donated == Py_None) return true;
  const Owned items(PySequence_Fast(donated, "Executable: needs a list of donated inputs"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const int j = index_below(PySequence_Fast_GET_ITEM(items.get(), i), program->inputs.size(),
                              "input");
    if (j < 0) return false;
    program->inputs[j].donated = true;
    program->donates = true;
  }
  return true;
}

bool read_forwards(PyObject* forward, Program* program) {
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (forward != Py_None && PyDict_Next(forward, &position, &key, &value)) {
    const int k = index_below(key, program->outputs.size(), "output");
    if (k < 0) return false;
    OutputSpec& spec = program->outputs[k];
    if (PyTuple_Check(value)) {
      const char* kind;
      PyObject* number;
      if (!PyArg_ParseTuple(value, "sO", &kind, &number)) return false;
      spec.constant = index_below(number, program->constants.size(), "constant");
      if (spec.constant < 0) return false;
      const Array* constant = as_array(program->constants[spec.constant].get());
      if (!same_bytes("constant", k, spec.nbytes, constant->nbytes())) return false;
    } else {
      spec.input = index_below(value, program->inputs.size(), "input");
      if (spec.input < 0) return false;
      if (!same_bytes("input", k, spec.nbytes, program->inputs[spec.input].nbytes)) return false;
    }
  }
  return true;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"entry",  "keepalive", "constants", "inputs",
                                "outputs", "scratch_bytes", "host_functions", "on_error",
                                "heavy", "donate", "forward", "donated", nullptr};
  PyObject *entry, *keepalive, *constants, *inputs, *outputs;
  PyObject *host_functions = nullptr, *on_error = Py_None;
  PyObject *donate = Py_None, *forward = Py_None, *donated = Py_None;
  long long scratch_bytes = 0;
  int heavy = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO|LOOpOOO:Executable",
                                   const_cast<char**>(names), &entry, &keepalive, &constants,
                                   &inputs, &outputs, &scratch_bytes, &host_functions, &on_error,
                                   &heavy, &donate, &forward, &donated))
    return nullptr;
  if ((donate != Py_None && !PyDict_Check(donate)) ||
      (forward != Py_None && !PyDict_Check(forward))) {
    PyErr_Format(PyExc_TypeError, "Executable: needs dicts as donate and forward; got %R and %R",
                 donate, forward);
    return nullptr;
  }
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  Program* program = new Program{};
  reinterpret_cast<Executable*>(self.get())->program = program;
  program->keepalive = Owned::borrow(keepalive);
  program->on_error = Owned::borrow(on_error);
  program->scratch_bytes = scratch_bytes;
  program->heavy = heavy;
  if (!read_entry(entry, "Executable", program) || !read_inputs(inputs, program) ||
      !read_outputs(outputs, program) ||
      !read_constants(constants, program) ||
      (host_functions && !read_host_functions(host_functions, program)) ||
      !read_donations(donate, donated, program) || !read_forwards(forward, program))
    return nullptr;
  return Py_NewRef(self.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Executable* executable = reinterpret_cast<Executable*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(executable->dict);
  if (const Program* program = executable->program) {
    Py_VISIT(program->keepalive.get());
    for (const Owned& older : program->replaced) Py_VISIT(older.get());
    Py_VISIT(program->on_error.get());
    Py_VISIT(program->skeleton.get());
    Py_VISIT(program->unflatten.get());
    for (const HostFunction& function : program->host_functions) Py_VISIT(function.callable);
  }
  return 0;
}

int clear(PyObject* self) {
  Executable* executable = reinterpret_cast<Executable*>(self);
  Py_CLEAR(executable->dict);
  // The program stays: a frame on some thread's stack may be running it. What can lead back to
  // this object goes.
  if (Program* program = executable->program) {
    program->unflatten = Owned();
    program->builtin_tree = false;
    program->on_error = Owned();
    std::vector<HostFunction> functions;
    functions.swap(program->host_functions);
    for (HostFunction& function : functions) Py_DECREF(function.callable);
  }
  return 0;
}

void dealloc(PyObject* self) {
  Executable* executable = reinterpret_cast<Executable*>(self);
  PyObject_GC_UnTrack(self);
  if (executable->weakrefs) PyObject_ClearWeakRefs(self);
  clear(self);
  delete executable->program;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* execute(PyObject* self, PyObject* arrays) {
  const Program& program = *program_of(self);
  const Owned items(PySequence_Fast(arrays, "execute: needs a list of arrays"));
  if (!items) return nullptr;
  PyObject** inputs = PySequence_Fast_ITEMS(items.get());
  if (!check_inputs(program, inputs, PySequence_Fast_GET_SIZE(items.get()))) return nullptr;
  // The list may change under our feet while the GIL is released.
  const Owned held(PyList_AsTuple(items.get()));
  const Owned results(PyList_New(static_cast<Py_ssize_t>(program.outputs.size())));
  if (!held || !results) return nullptr;
  if (!run_program(program, PySequence_Fast_ITEMS(held.get()), nullptr,
                   PySequence_Fast_ITEMS(results.get())))
    return nullptr;
  return Py_NewRef(results.get());
}

PyObject* set_output_tree(PyObject* self, PyObject* args) {
  PyObject *skeleton, *unflatten = Py_None;
  if (!PyArg_ParseTuple(args, "O|O:set_output_tree", &skeleton, &unflatten)) return nullptr;
  Program* program = program_of(self);
  const int builtin = check_skeleton(skeleton, static_cast<Py_ssize_t>(program->outputs.size()));
  if (builtin < 0) return nullptr;
  if (!builtin && !PyCallable_Check(unflatten)) {
    PyErr_Format(PyExc_TypeError,
                 "set_output_tree: needs a skeleton of tuples, lists, dicts, None and leaf "
                 "numbers, or a callable that builds the tree; got %R and %R", skeleton, unflatten);
    return nullptr;
  }
  program->builtin_tree = builtin == 1;
  program->skeleton = Owned::borrow(skeleton);
  program->unflatten = Owned::borrow(unflatten);
  Py_RETURN_NONE;
}

PyObject* get_kept(PyObject* self, void*) {
  const Program* program = program_of(self);
  if (!program->selects) Py_RETURN_NONE;
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(program->kept.size()));
  for (size_t i = 0; list && i < program->kept.size(); ++i)
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), PyLong_FromLong(program->kept[i]));
  return list;
}

int set_kept(PyObject* self, PyObject* value, void*) {
  Program* program = program_of(self);
  if (!value || value == Py_None) {
    program->selects = false;
    program->kept.clear();
    return 0;
  }
  const Owned items(PySequence_Fast(value, "kept: needs a list of ints, or None"));
  if (!items) return -1;
  if (static_cast<size_t>(PySequence_Fast_GET_SIZE(items.get())) != program->inputs.size()) {
    PyErr_Format(PyExc_ValueError, "kept: needs one number for each of the %zu inputs; got %R",
                 program->inputs.size(), value);
    return -1;
  }
  std::vector<int> kept;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const int leaf = index_below(PySequence_Fast_GET_ITEM(items.get(), i), INT32_MAX, "argument");
    if (leaf < 0) return -1;
    kept.push_back(leaf);
  }
  program->kept = std::move(kept);
  program->selects = true;
  return 0;
}

PyObject* replace(PyObject* self, PyObject* args) {
  PyObject *entry, *keepalive;
  if (!PyArg_ParseTuple(args, "OO:replace", &entry, &keepalive)) return nullptr;
  Program* program = program_of(self);
  if (!read_entry(entry, "replace", program)) return nullptr;
  // The code from before may be running.
  program->replaced.push_back(std::exchange(program->keepalive, Owned::borrow(keepalive)));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"replace", replace, METH_VARARGS,
     "replace(entry, keepalive): runs other code of the same program from the next call on."},
    {"execute", execute, METH_O, "execute(arrays): runs on a list of Arrays, gives a list."},
    {"set_output_tree", set_output_tree, METH_VARARGS,
     "set_output_tree(skeleton, unflatten=None): how the outputs form the result of a call."},
    {}};

PyGetSetDef getters[] = {
    {"kept", get_kept, set_kept, "Which flat dynamic arguments are inputs; None: all.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {}};

PyMemberDef members[] = {
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(Executable, dict), Py_READONLY, nullptr},
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Executable, weakrefs), Py_READONLY, nullptr},
    {}};

}  // namespace

PyObject* build_output(const Program& program, PyObject** leaves) {
  if (program.builtin_tree) return fill_skeleton(program.skeleton.get(), leaves);
  if (!program.unflatten) {
    PyErr_SetString(PyExc_RuntimeError,
                    "Executable: needs an output tree; call set_output_tree first");
    return nullptr;
  }
  const size_t count = program.outputs.size();
  const Owned list(PyList_New(static_cast<Py_ssize_t>(count)));
  if (!list) return nullptr;
  for (size_t i = 0; i < count; ++i)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), Py_NewRef(leaves[i]));
  return PyObject_CallOneArg(program.unflatten.get(), list.get());
}

bool executable_ready(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Compiled code with the types of its inputs and outputs.")},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, getters},
      {Py_tp_members, members},
      {0, nullptr}};
  static PyType_Spec spec = {"vires._native.Executable", sizeof(Executable), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
  executable_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return executable_type &&
         PyModule_AddObjectRef(module, "Executable",
                               reinterpret_cast<PyObject*>(executable_type)) == 0;
}

}  // namespace vires

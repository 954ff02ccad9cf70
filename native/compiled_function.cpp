#include "compiled_function.h"

#include "callable.h"
#include "context.h"
#include "executable.h"
#include "signature_cache.h"

namespace vires {
namespace {

struct CompiledFunction {
  Callable base;
  PyObject* miss;
  PyObject* trace_call;
  StaticArguments* statics;
  SignatureCache* cache;
};

CompiledFunction* as_function(PyObject* self) {
  return reinterpret_cast<CompiledFunction*>(self);
}

PyObject* run(PyObject* executable, const Signature& signature) {
  const Owned held = Owned::borrow(executable);
  const Program& program = *reinterpret_cast<Executable*>(executable)->program;
  const size_t input_count = program.inputs.size();
  StackVector<PyObject*, 32> selected, results;
  StackVector<bool, 32> unique;
  PyObject* const* inputs = signature.leaves.data();
  if (program.selects) {
    for (int leaf : program.kept) selected.push(signature.leaves[static_cast<size_t>(leaf)]);
    inputs = selected.data();
  }
  if (program.donates) {
    for (size_t j = 0; j < input_count; ++j)
      unique.push(signature.unique(program.selects ? static_cast<size_t>(program.kept[j]) : j));
  }
  results.resize(program.outputs.size());
  if (!run_program(program, inputs, program.donates ? unique.data() : nullptr, results.data()))
    return nullptr;
  PyObject* output = build_output(program, results.data());
  for (PyObject* result : results) Py_DECREF(result);
  return output;
}

// Whether what `miss` made fits the leaves of its signature.
bool check_fit(PyObject* made, const Signature& signature) {
  if (!is_executable(made)) {
    if (PyCallable_Check(made)) return true;
    PyErr_Format(PyExc_TypeError,
                 "CompiledFunction: needs an Executable, a callable, None or NotImplemented from "
                 "miss; got %R",
                 made);
    return false;
  }
  const Program& program = *reinterpret_cast<Executable*>(made)->program;
  if (!program.selects)
    return check_inputs(program, signature.leaves.data(), signature.leaves.size());
  StackVector<PyObject*, 32> selected;
  for (int leaf : program.kept) {
    if (static_cast<size_t>(leaf) >= signature.leaves.size()) {
      PyErr_Format(PyExc_ValueError, "CompiledFunction: kept argument %d of %zu", leaf,
                   signature.leaves.size());
      return false;
    }
    selected.push(signature.leaves[static_cast<size_t>(leaf)]);
  }
  return check_inputs(program, selected.data(), selected.size());
}

PyObject* call_miss(CompiledFunction* function, PyObject* const* args, Py_ssize_t count,
                    PyObject* keywords) {
  const Owned positional(PyTuple_New(count)), named(PyDict_New());
  if (!positional || !named) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i)
    PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; keywords && i < PyTuple_GET_SIZE(keywords); ++i)
    if (PyDict_SetItem(named.get(), PyTuple_GET_ITEM(keywords, i), args[count + i]) < 0)
      return nullptr;
  PyObject* arguments[] = {positional.get(), named.get()};
  return PyObject_Vectorcall(function->miss, arguments, 2, nullptr);
}

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  CompiledFunction* function = as_function(self);
  if (!function->miss) {
    PyErr_SetString(PyExc_RuntimeError, "CompiledFunction: called while it is being destroyed");
    return nullptr;
  }
  if (tracing) return PyObject_Vectorcall(function->trace_call, args, nargsf, keywords);
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  Signature signature;
  switch (signature.read(*function->statics, args, count, keywords)) {
    case Reading::kError: return nullptr;
    case Reading::kTrace:
      return PyObject_Vectorcall(function->trace_call, args, nargsf, keywords);
    case Reading::kDone: break;
  }
  Owned executable;
  if (const auto entry = function->cache->find(signature)) {
    executable = entry->executable;
  } else {
    if (PyErr_Occurred()) return nullptr;
    executable = Owned(call_miss(function, args, count, keywords));
    if (!executable) return nullptr;
    if (executable.get() == Py_NotImplemented)  // not this time: ask again at the next call
      return PyObject_Vectorcall(function->trace_call, args, nargsf, keywords);
    if (executable.get() != Py_None && !check_fit(executable.get(), signature)) return nullptr;
    function->cache->store(signature, executable.get());
  }
  if (executable.get() == Py_None)
    return PyObject_Vectorcall(function->trace_call, args, nargsf, keywords);
  if (is_executable(executable.get())) return run(executable.get(), signature);
  return PyObject_Vectorcall(executable.get(), signature.leaves.data(), signature.leaves.size(),
                             nullptr);
}

bool read_statics(PyObject* positions, PyObject* names, StaticArguments* statics) {
  const Owned numbers(PySequence_Fast(positions, "CompiledFunction: needs static_argnums"));
  const Owned words(PySequence_Fast(names, "CompiledFunction: needs static_argnames"));
  if (!numbers || !words) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(numbers.get()); ++i) {
    const Py_ssize_t place =
        PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(numbers.get(), i), PyExc_OverflowError);
    if (place == -1 && PyErr_Occurred()) return false;
    statics->positions.push_back(place);
  }
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(words.get()); ++i)
    statics->names.push_back(Owned::borrow(PySequence_Fast_GET_ITEM(words.get(), i)));
  return true;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"miss", "trace_call", "static_argnums", "static_argnames",
                                nullptr};
  PyObject *miss, *trace_call;
  const Owned nothing(PyTuple_New(0));
  PyObject *positions = nothing.get(), *keywords = nothing.get();
  if (!nothing ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO:CompiledFunction",
                                   const_cast<char**>(names), &miss, &trace_call, &positions,
                                   &keywords))
    return nullptr;
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  CompiledFunction* function = as_function(self.get());
  function->base.vectorcall = call;
  function->miss = Py_NewRef(miss);
  function->trace_call = Py_NewRef(trace_call);
  function->statics = new StaticArguments;
  function->cache = new SignatureCache;
  if (!read_statics(positions, keywords, function->statics)) return nullptr;
  return Py_NewRef(self.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const CompiledFunction* function = as_function(self);
  Py_VISIT(function->miss);
  Py_VISIT(function->trace_call);
  if (function->cache)
    if (const int result = function->cache->traverse(visit, arg)) return result;
  return callable_traverse(self, visit, arg);
}

int clear(PyObject* self) {
  CompiledFunction* function = as_function(self);
  Py_CLEAR(function->miss);
  Py_CLEAR(function->trace_call);
  if (function->cache) function->cache->clear();
  callable_clear(self);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_function(self)->base.weakrefs) PyObject_ClearWeakRefs(self);
  clear(self);
  delete as_function(self)->statics;
  delete as_function(self)->cache;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* cache_size(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(as_function(self)->cache->size());
}

PyObject* clear_cache(PyObject* self, PyObject*) {
  as_function(self)->cache->clear();
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"_cache_size", cache_size, METH_NOARGS, "Number of signatures that are compiled."},
    {"clear_cache", clear_cache, METH_NOARGS, "Forgets the compiled programs."},
    {"__reduce__", callable_reduce, METH_NOARGS, "Pickles by qualified name."},
    {}};

}  // namespace

bool compiled_function_ready(PyObject* module) {
  return add_callable_type(module, "vires._native.CompiledFunction", sizeof(CompiledFunction),
                           {{Py_tp_doc, const_cast<char*>("A function that is compiled once for each signature.")},
                            {Py_tp_new, reinterpret_cast<void*>(create)},
                            {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                            {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(clear)},
                            {Py_tp_methods, methods}},
                           Py_TPFLAGS_BASETYPE);
}

}  // namespace vires

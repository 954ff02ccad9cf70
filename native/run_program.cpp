// One call of a program: memory for its outputs, donation, the call itself, its errors.
#include <algorithm>
#include <string>

#include "call_list.h"
#include "executable.h"
#include "pool.h"

namespace vires {
namespace {

struct Scratch {
  void* block = nullptr;
  size_t bytes = 0;
  ~Scratch() {
    if (block) pool::release(block, bytes);
  }
};

// Whether an output may be written over input `j`: nothing else looks at that memory.
bool may_take(const Program& program, PyObject* const* inputs, const bool* unique, int j) {
  if (!program.inputs[j].donated && !(unique && unique[j])) return false;
  const Array* array = as_array(inputs[j]);
  const Buffer* buffer = array->buffer;
  if (Py_REFCNT(const_cast<Buffer*>(buffer)) != 1 || array->data != buffer->data) return false;
  if (buffer->storage == Storage::kBorrowed) return false;
  for (size_t other = 0; other < program.inputs.size(); ++other)
    if (static_cast<int>(other) != j && inputs[other] == inputs[j]) return false;
  return true;
}

void set_failure(const Program& program, const Call& call, int32_t code) {
  if (!call.failed()) {
    PyErr_Format(PyExc_RuntimeError,
                 "Executable: the compiled code returned %d without recording an error", code);
    return;
  }
  const Owned error(PyObject_CallFunction(
      program.on_error.get(), "LLL", static_cast<long long>(call.site()),
      static_cast<long long>(call.a()), static_cast<long long>(call.b())));
  if (!error) return;
  if (PyExceptionInstance_Check(error.get())) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
  } else {
    PyErr_Format(PyExc_TypeError, "Executable: needs an exception from on_error; got %R",
                 error.get());
  }
}

Array* forwarded(const Program& program, PyObject* const* inputs, const OutputSpec& spec) {
  Array* source = as_array(spec.input >= 0 ? inputs[spec.input]
                                           : program.constants[spec.constant].get());
  if (!array_check(source)) return nullptr;
  return array_share(source->buffer, source->data, spec.code, spec.weak,
                     static_cast<int>(spec.dims.size()), spec.dims.data());
}

}  // namespace

bool check_inputs(const Program& program, PyObject* const* inputs, size_t count) {
  if (count != program.inputs.size()) {
    PyErr_Format(PyExc_TypeError, "Executable: needs %zu arrays; got %zu", program.inputs.size(),
                 count);
    return false;
  }
  for (size_t j = 0; j < count; ++j) {
    if (!is_array(inputs[j])) {
      PyErr_Format(PyExc_TypeError, "Executable: needs an Array as input %zu; got %R", j,
                   Py_TYPE(inputs[j]));
      return false;
    }
    const Array* array = as_array(inputs[j]);
    const InputSpec& spec = program.inputs[j];
    if (array->code != spec.code || array->ndim != spec.dims.size() ||
        !std::equal(spec.dims.begin(), spec.dims.end(), array->dims)) {
      std::string shape;
      for (int64_t length : spec.dims) shape += (shape.empty() ? "" : ",") + std::to_string(length);
      const Owned name = dtype_name(spec.code), label = array_label(array);
      if (name && label)
        PyErr_Format(PyExc_TypeError, "Executable: needs %U[%s] as input %zu; got %U", name.get(),
                     shape.c_str(), j, label.get());
      return false;
    }
  }
  return true;
}

bool run_program(const Program& program, PyObject* const* inputs, const bool* unique,
                 PyObject** results) {
  const size_t input_count = program.inputs.size(), output_count = program.outputs.size();
  StackVector<void*, 64> buffers;
  References<16> outputs;
  References<64> in_use;
  Scratch scratch;

  for (size_t j = 0; j < input_count; ++j) {
    Array* array = as_array(inputs[j]);
    if (!array_check(array)) return false;
    buffers.push(array->data);
  }
  for (const Owned& constant : program.constants) buffers.push(as_array(constant.get())->data);
  for (size_t k = 0; k < output_count; ++k) {
    const OutputSpec& spec = program.outputs[k];
    Array* array;
    if (spec.input >= 0 || spec.constant >= 0) {
      array = forwarded(program, inputs, spec);
    } else if (spec.donor >= 0 && may_take(program, inputs, unique, spec.donor)) {
      const Array* donor = as_array(inputs[spec.donor]);
      array = array_share(donor->buffer, donor->data, spec.code, spec.weak,
                          static_cast<int>(spec.dims.size()), spec.dims.data());
    } else {
      array = array_new(spec.code, spec.weak, static_cast<int>(spec.dims.size()),
                        spec.dims.data());
    }
    if (!array) return false;
    outputs.push(as_object(array));
    if (spec.input < 0 && spec.constant < 0) buffers.push(array->data);
  }
  if (program.scratch_bytes > 0) {
    scratch.bytes = static_cast<size_t>(program.scratch_bytes);
    scratch.block = pool::allocate(scratch.bytes);
    if (!scratch.block) {
      PyErr_Format(PyExc_MemoryError, "Executable: cannot allocate %zu bytes of scratch memory",
                   scratch.bytes);
      return false;
    }
  }
  buffers.push(scratch.block);

  // While the call runs, other threads (or host functions) may delete the arrays.
  for (size_t j = 0; j < input_count; ++j) {
    PyObject* buffer = as_object(as_array(inputs[j])->buffer);
    in_use.push(Py_NewRef(buffer));
  }
  if (program.donates) {
    for (size_t k = 0; k < output_count; ++k) {
      const OutputSpec& spec = program.outputs[k];
      if (spec.donor >= 0 && as_array(outputs[k])->data == as_array(inputs[spec.donor])->data)
        array_delete(as_array(inputs[spec.donor]));
    }
    for (size_t j = 0; j < input_count; ++j)
      if (program.inputs[j].donated) array_delete(as_array(inputs[j]));
  }

  Call call(program.host_functions.data(), static_cast<int64_t>(program.host_functions.size()));
  // Tasks on other threads that call host functions need the GIL to be free.
  const bool release = program.heavy || !program.host_functions.empty();
  // Another thread may replace both while the GIL is free; what they point to stays.
  const auto entry = program.entry;
  const CallList* const calls = program.calls;
  const int32_t code = call.run([&](Runtime* runtime) {
    return calls ? calls->run(buffers.data(), runtime) : entry(buffers.data(), runtime);
  }, release);
  if (PyObject* exception = call.take_exception()) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
    Py_DECREF(exception);
    return false;
  }
  if (code != 0 || call.stop) {
    set_failure(program, call, code);
    return false;
  }
  for (size_t k = 0; k < output_count; ++k) results[k] = Py_NewRef(outputs[k]);
  return true;
}

}  // namespace vires

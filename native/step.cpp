#include "step.h"

#include <algorithm>
#include <string_view>

#include "call.h"
#include "product.h"
#include "reduction.h"
#include "strided.h"
#include "symbols.h"

namespace vires {
namespace {

Step* as_step(PyObject* self) { return reinterpret_cast<Step*>(self); }

// The same elements with other axes.
PyObject* run_view(const Step& step, Array* const* inputs) {
  const OutputType& type = (*step.outputs)[0];
  Array* x = inputs[0];
  if (!array_check(x)) return nullptr;
  return as_object(array_share(x->buffer, x->data, type.code, type.weak,
                               static_cast<int>(type.dims.size()), type.dims.data()));
}

// numbers: for each axis of the result its axis of x (-1: none), start and step there.
PyObject* run_part(const Step& step, Array* const* inputs) {
  const OutputType& type = (*step.outputs)[0];
  Array* x = inputs[0];
  if (!array_alive(x)) return nullptr;
  const Part all = whole(x);
  Part part;
  part.start = all.start;
  const int64_t* numbers = step.numbers->data();
  for (int64_t dropped = *numbers++; dropped > 0; --dropped, numbers += 2)
    part.start += numbers[1] * all.strides[numbers[0]];
  for (size_t d = 0; d < type.dims.size(); ++d, numbers += 3) {
    const int64_t axis = numbers[0];
    if (axis >= 0 && type.dims[d] > 0) part.start += numbers[1] * all.strides[axis];
    part.push(type.dims[d], axis < 0 ? 0 : numbers[2] * all.strides[axis]);
  }
  PyObject* result = array_of_part(x, part);
  if (result) as_array(result)->weak = type.weak;
  return result;
}

// numbers: kind, axes as bits.
PyObject* run_reduce(const Step& step, Array* const* inputs) {
  const OutputType& type = (*step.outputs)[0];
  PyObject* result = array_reduce(inputs[0], static_cast<Reduce>((*step.numbers)[0]),
                                  static_cast<uint64_t>((*step.numbers)[1]), type.code);
  if (result == Py_None) {
    Py_DECREF(result);
    PyErr_SetString(PyExc_TypeError, "reduce: no such reduction of this dtype");
    return nullptr;
  }
  if (result) as_array(result)->weak = type.weak;
  return result;
}

// numbers: largest (1) or smallest (0), length of the axis, elements of the axes after it.
PyObject* run_position(const Step& step, Array* const* inputs) {
  Array* result = (*step.outputs)[0].make();
  if (!result) return nullptr;
  if (array_check(inputs[0]) &&
      array_position(inputs[0], (*step.numbers)[0] != 0, (*step.numbers)[1], (*step.numbers)[2],
                     result))
    return as_object(result);
  Py_DECREF(as_object(result));
  return nullptr;
}

// numbers: the axis.
PyObject* run_join(const Step& step, Array* const* inputs) {
  Array* result = (*step.outputs)[0].make();
  if (!result) return nullptr;
  const Part all = whole(result);
  const int axis = static_cast<int>((*step.numbers)[0]);
  const int itemsize = dtypes[result->code].itemsize;
  int64_t at = 0;
  for (int i = 0; i < step.input_count; ++i) {
    Array* x = inputs[i];
    if (!array_check(x)) {
      Py_DECREF(as_object(result));
      return nullptr;
    }
    Part place = all;
    place.start += at * all.strides[axis];
    place.dims[axis] = x->dims[axis];
    fill_part(place, x->data, itemsize);
    at += x->dims[axis];
  }
  return as_object(result);
}

// numbers: for each axis what is added before it and between its elements. The second operand is
// the value of what is added.
PyObject* run_pad(const Step& step, Array* const* inputs) {
  Array *x = inputs[0], *value = inputs[1];
  if (!array_check(x) || !array_check(value)) return nullptr;
  Array* result = (*step.outputs)[0].make();
  if (!result) return nullptr;
  const int itemsize = dtypes[result->code].itemsize;
  Part repeated = whole(result);
  repeated.start = value->data;
  std::fill_n(repeated.strides, repeated.ndim, 0);
  copy_part(result->data, repeated, itemsize);
  Part place = whole(result);
  for (int d = 0; d < place.ndim; ++d) {
    const int64_t low = (*step.numbers)[2 * d], between = (*step.numbers)[2 * d + 1];
    place.start += low * place.strides[d];
    place.dims[d] = x->dims[d];
    place.strides[d] *= between + 1;
  }
  fill_part(place, x->data, itemsize);
  return as_object(result);
}

// numbers: of each operand its matrix's rows, columns and whether it is transposed.
PyObject* run_product(const Step& step, Array* const* inputs) {
  if (!array_check(inputs[0]) || !array_check(inputs[1])) return nullptr;
  Array* result = (*step.outputs)[0].make();
  if (result && !array_product(inputs[0], inputs[1], step.numbers->data(), result))
    Py_CLEAR(result);
  return as_object(result);
}

template <class T>
void count_up(Array* result, int64_t length, int64_t inner) {
  T* out = reinterpret_cast<T*>(result->data);
  const T* end = out + result->size;
  if (inner == 1) {
    while (out < end)
      for (int64_t i = 0; i < length; ++i) *out++ = static_cast<T>(i);
  } else {
    while (out < end)
      for (int64_t i = 0; i < length; ++i, out += inner)
        std::fill_n(out, inner, static_cast<T>(i));
  }
}

// numbers: length of the counted axis, elements of the axes after it.
PyObject* run_iota(const Step& step, Array* const* inputs) {
  Array* result = (*step.outputs)[0].make();
  if (!result || result->size == 0) return as_object(result);
  const int64_t length = (*step.numbers)[0], inner = (*step.numbers)[1];
  switch (result->code) {
    case kInt32: count_up<int32_t>(result, length, inner); break;
    case kInt64: count_up<int64_t>(result, length, inner); break;
    case kUInt32: count_up<uint32_t>(result, length, inner); break;
    case kUInt64: count_up<uint64_t>(result, length, inner); break;
    case kFloat32: count_up<float>(result, length, inner); break;
    default: count_up<double>(result, length, inner); break;
  }
  return as_object(result);
}

// Memory of a call of a kernel; kernels without a Python error of their own fail for want of memory.
class KernelCall {
 public:
  KernelCall(const Step& step, Array* const* inputs) : step_(step), call_(nullptr, 0) {
    for (int i = 0; i < step.input_count && good_; ++i) {
      good_ = array_check(inputs[i]);
      input_data.push(inputs[i]->data);
    }
    for (const OutputType& type : *step.outputs) {
      Array* array = good_ ? type.make() : nullptr;
      good_ = array != nullptr;
      if (!good_) return;
      results_.push(as_object(array));
      output_data.push(array->data);
    }
  }

  bool good() const { return good_; }
  Runtime* runtime() { return &call_; }

  PyObject* finish(int32_t code) {
    if (PyObject* exception = call_.take_exception()) {
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
      Py_DECREF(exception);
      return nullptr;
    }
    if (code != 0) return PyErr_NoMemory();
    if (!step_.several) return Py_NewRef(results_[0]);
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(results_.size()));
    for (size_t k = 0; tuple && k < results_.size(); ++k)
      PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(k), Py_NewRef(results_[k]));
    return tuple;
  }

  StackVector<void*, 8> input_data, output_data;

 private:
  const Step& step_;
  Call call_;
  References<4> results_;
  bool good_ = true;
};

using Library = int32_t (*)(Runtime*, const int64_t*, void**, void**);
using Cumulate = int32_t (*)(Runtime*, int64_t, int64_t, int64_t, int32_t, int32_t, int32_t,
                             const void*, void*);
using Sort = int32_t (*)(Runtime*, int64_t, int64_t, int64_t, int64_t, int64_t, const int32_t*,
                         const int64_t*, void**, void**);

template <class Function>
Function symbol(const char* name) {
  return reinterpret_cast<Function>(symbol_table()[name]);
}

// numbers: the routine's address, then its integers.
PyObject* run_library(const Step& step, Array* const* inputs) {
  KernelCall call(step, inputs);
  if (!call.good()) return nullptr;
  const auto routine = reinterpret_cast<Library>((*step.numbers)[0]);
  return call.finish(routine(call.runtime(), step.numbers->data() + 1, call.input_data.data(),
                             call.output_data.data()));
}

// numbers: outer, length, inner, kind, reverse.
PyObject* run_cumulate(const Step& step, Array* const* inputs) {
  static const auto routine = symbol<Cumulate>("vires_cumulate");
  KernelCall call(step, inputs);
  if (!call.good()) return nullptr;
  const int64_t* n = step.numbers->data();
  return call.finish(routine(call.runtime(), n[0], n[1], n[2], (*step.outputs)[0].code,
                             static_cast<int32_t>(n[3]), static_cast<int32_t>(n[4]),
                             call.input_data[0], call.output_data[0]));
}

// numbers: outer, length, inner, number of keys.
PyObject* run_sort(const Step& step, Array* const* inputs) {
  static const auto routine = symbol<Sort>("vires_sort");
  KernelCall call(step, inputs);
  if (!call.good()) return nullptr;
  StackVector<int32_t, 8> codes;
  StackVector<int64_t, 8> itemsizes;
  for (const OutputType& type : *step.outputs) {
    codes.push(type.code);
    itemsizes.push(dtypes[type.code].itemsize);
  }
  const int64_t* n = step.numbers->data();
  return call.finish(routine(call.runtime(), n[0], n[1], n[2], step.input_count, n[3], codes.data(),
                             itemsizes.data(), call.input_data.data(), call.output_data.data()));
}

struct Kind {
  std::string_view name;
  StepFunction run;
};
constexpr Kind kinds[] = {
    {"view", run_view},         {"part", run_part}, {"reduce", run_reduce},
    {"position", run_position}, {"join", run_join}, {"pad", run_pad},
    {"product", run_product},   {"library", run_library},
    {"iota", run_iota},         {"cumulate", run_cumulate}, {"sort", run_sort}};

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  const Step& step = *as_step(self);
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  bool fits = count == step.input_count && (!keywords || PyTuple_GET_SIZE(keywords) == 0);
  for (Py_ssize_t i = 0; fits && i < count; ++i) fits = is_array(args[i]);
  if (!fits) {
    PyErr_Format(PyExc_TypeError, "Step: needs %d Arrays; got %zd arguments", step.input_count,
                 count);
    return nullptr;
  }
  return step.run(step, reinterpret_cast<Array* const*>(args));
}

bool read_types(PyObject* list, std::vector<OutputType>* outputs) {
  const Owned items(PySequence_Fast(list, "Step: needs a list of outputs"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* shape;
    int code, weak;
    int64_t dims[kMaxDims];
    if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items.get(), i), "Oip", &shape, &code, &weak) ||
        !check_code(code))
      return false;
    const int ndim = parse_shape(shape, dims);
    if (ndim < 0) return false;
    outputs->push_back({code, weak != 0, {dims, dims + ndim}});
  }
  return true;
}

bool read_numbers(PyObject* list, std::vector<int64_t>* numbers) {
  const Owned items(PySequence_Fast(list, "Step: needs a list of numbers"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const long long number = PyLong_AsLongLong(PySequence_Fast_GET_ITEM(items.get(), i));
    if (number == -1 && PyErr_Occurred()) return false;
    numbers->push_back(number);
  }
  return true;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"kind", "input_count", "outputs", "numbers", "several", nullptr};
  const char* kind;
  PyObject *outputs, *numbers;
  int input_count, several = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "siOO|p:Step", const_cast<char**>(names), &kind,
                                   &input_count, &outputs, &numbers, &several))
    return nullptr;
  const auto found = std::find_if(std::begin(kinds), std::end(kinds),
                                  [&](const Kind& entry) { return entry.name == kind; });
  if (found == std::end(kinds)) {
    PyErr_Format(PyExc_ValueError, "Step: knows no kind '%s'", kind);
    return nullptr;
  }
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  Step* step = as_step(self.get());
  step->base.vectorcall = call;
  step->run = found->run;
  step->input_count = input_count;
  step->outputs = new std::vector<OutputType>;
  step->numbers = new std::vector<int64_t>;
  step->several = several != 0;
  if (!read_types(outputs, step->outputs) || !read_numbers(numbers, step->numbers)) return nullptr;
  return Py_NewRef(self.get());
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_step(self)->base.weakrefs) PyObject_ClearWeakRefs(self);
  callable_clear(self);
  delete as_step(self)->outputs;
  delete as_step(self)->numbers;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int clear(PyObject* self) {
  callable_clear(self);
  return 0;
}

}  // namespace

bool step_ready(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("One resolved operation of an eager call.")},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(callable_traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_getset, callable_getters},
      {Py_tp_members, callable_members},
      {0, nullptr}};
  static PyType_Spec spec = {"vires._native.Step", sizeof(Step), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                             slots};
  const Owned type(PyType_FromSpec(&spec));
  return type && PyModule_AddObjectRef(module, "Step", type.get()) == 0;
}

}  // namespace vires

#include "eager.h"

#include <unordered_map>

#include "callable.h"
#include "context.h"
#include "elementwise_kernel.h"
#include "hash.h"
#include "numpy_value.h"

namespace vires {
namespace {

struct Key {
  uint64_t types;    // one byte for each argument
  int64_t context;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    return mix(key.types, static_cast<uint64_t>(key.context));
  }
};

struct EagerOp {
  Callable base;
  PyObject* fallback;
  PyObject* resolve;
  // Kernels by argument types; None: always fall back.
  std::unordered_map<Key, Owned, KeyHash>* kernels;
  Key latest_key;
  PyObject* latest;  // borrowed from `kernels`
};

EagerOp* as_op(PyObject* self) { return reinterpret_cast<EagerOp*>(self); }

constexpr unsigned kScalar = 0x80;

PyTypeObject* scalar_type(unsigned byte) {
  static PyTypeObject* const types[] = {&PyBool_Type, &PyLong_Type, &PyFloat_Type,
                                        &PyComplex_Type};
  return types[byte & 3];
}

// A byte for the type of an argument of an eager call; 0 for what Python must handle. Never 0
// otherwise: the weak bit's neighbour is always set.
unsigned type_byte(PyObject* object) {
  if (is_array(object)) {
    const Array* array = as_array(object);
    return 0x40u | array->code | (array->weak ? kScalar : 0u);
  }
  PyTypeObject* type = Py_TYPE(object);
  for (unsigned kind = 0; kind < 4; ++kind)
    if (type == scalar_type(kind)) return kScalar | kind;
  const int code = numpy_code(object);
  return code < 0 ? 0 : 0x40u | static_cast<unsigned>(code);
}

PyObject* describe(PyObject* const* args, Py_ssize_t count) {
  PyObject* descriptors = PyTuple_New(count);
  for (Py_ssize_t i = 0; descriptors && i < count; ++i) {
    PyObject* item;
    if (is_array(args[i])) {
      const Array* array = as_array(args[i]);
      item = Py_BuildValue("(iO)", static_cast<int>(array->code),
                           array->weak ? Py_True : Py_False);
    } else if (const int code = numpy_code(args[i]); code >= 0) {
      item = Py_BuildValue("(iO)", code, Py_False);
    } else {
      item = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(args[i])));
    }
    if (!item) {
      Py_CLEAR(descriptors);
    } else {
      PyTuple_SET_ITEM(descriptors, i, item);
    }
  }
  return descriptors;
}

// The kernel, or None, for these arguments; null with an exception. Borrowed.
PyObject* resolve(EagerOp* op, const Key& key, PyObject* const* args, Py_ssize_t count) {
  const auto found = op->kernels->find(key);
  if (found == op->kernels->end()) {
    const Owned descriptors(describe(args, count));
    if (!descriptors) return nullptr;
    Owned made(PyObject_CallOneArg(op->resolve, descriptors.get()));
    if (!made) return nullptr;
    if (made.get() != Py_None) {
      if (Py_TYPE(made.get()) != elementwise_kernel_type ||
          reinterpret_cast<ElementwiseKernel*>(made.get())->scalar_codes->size() !=
              static_cast<size_t>(count)) {
        PyErr_Format(PyExc_TypeError,
                     "EagerOp: needs None or an ElementwiseKernel of %zd inputs from resolve; "
                     "got %R", count, made.get());
        return nullptr;
      }
    }
    // Resolving runs Python code, which may have resolved the same key: emplace keeps the first.
    op->latest = op->kernels->emplace(key, std::move(made)).first->second.get();
  } else {
    op->latest = found->second.get();
  }
  op->latest_key = key;
  return op->latest;
}

Operand operand_of(const Array* array) {
  return {array->data, dtypes[array->code].itemsize, array->ndim, array->dims, false};
}

// The operand's memory; `scratch` holds a number, `copies` keeps what had to be copied. False: an
// exception, or, without one, a call for the fallback.
bool read_operand(PyObject* object, int scalar_code, char* scratch,
                  References<kMaxInputs>* copies, Operand* operand) {
  if (is_array(object)) {
    if (!array_check(as_array(object))) return false;
    *operand = operand_of(as_array(object));
    return true;
  }
  const int code = numpy_code(object);
  if (code < 0) {
    if (scalar_code < 0 || write_scalar(object, scalar_code, scratch) != 1) return false;
    *operand = {scratch, dtypes[scalar_code].itemsize, 0, nullptr, true};
  } else if (!PyArray_CheckExact(object)) {
    read_numpy_scalar(object, scratch);
    *operand = {scratch, dtypes[code].itemsize, 0, nullptr, false};
  } else if (auto* ndarray = reinterpret_cast<PyArrayObject*>(object); PyArray_ISCARRAY_RO(ndarray)) {
    static_assert(sizeof(npy_intp) == sizeof(int64_t));
    *operand = {PyArray_BYTES(ndarray), dtypes[code].itemsize, PyArray_NDIM(ndarray),
                reinterpret_cast<const int64_t*>(PyArray_DIMS(ndarray)), false};
  } else {
    PyObject* copy = array_from_numpy_value(object, code);
    if (!copy) return false;
    copies->push(copy);
    *operand = operand_of(as_array(copy));
  }
  return true;
}

// Null without an exception: the call needs the fallback.
PyObject* run(ElementwiseKernel* kernel, PyObject* const* args, int count) {
  alignas(16) char scalars[kMaxInputs][16];
  Operand inputs[kMaxInputs];
  References<kMaxInputs> copies;
  for (int i = 0; i < count; ++i)
    if (!read_operand(args[i], (*kernel->scalar_codes)[i], scalars[i], &copies, &inputs[i]))
      return nullptr;
  int64_t dims[kMaxDims];
  const int ndim = broadcast_shape(inputs, count, dims);
  if (ndim < 0) return nullptr;
  const int output_count = static_cast<int>(kernel->outputs->size());
  References<kMaxOutputs> outputs;
  char* data[kMaxOutputs];
  int itemsizes[kMaxOutputs];
  for (int k = 0; k < output_count; ++k) {
    const ElementwiseKernel::Output& output = (*kernel->outputs)[k];
    Array* array = array_new(output.code, output.weak, ndim, dims);
    if (!array) return nullptr;
    outputs.push(as_object(array));
    data[k] = array->data;
    itemsizes[k] = dtypes[output.code].itemsize;
  }
  const LoopNest nest(inputs, count, dims, ndim);
  const ElementwiseFunction function = kernel_function(kernel, nest.mask(count));
  if (!function) return nullptr;
  run_nest(nest, function, data, itemsizes, output_count, inputs, count);
  if (output_count == 1) return Py_NewRef(outputs[0]);
  PyObject* tuple = PyTuple_New(output_count);
  for (int k = 0; tuple && k < output_count; ++k)
    PyTuple_SET_ITEM(tuple, k, Py_NewRef(outputs[static_cast<size_t>(k)]));
  return tuple;
}

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  EagerOp* op = as_op(self);
  if (!op->fallback) {
    PyErr_SetString(PyExc_RuntimeError, "EagerOp: called while it is being destroyed");
    return nullptr;
  }
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  const bool named = keywords && PyTuple_GET_SIZE(keywords) > 0;
  if (!tracing && !named && count > 0 && count <= kMaxInputs) {
    Key key{static_cast<uint64_t>(count), context.key()};
    bool arrays = false, known = true;
    for (Py_ssize_t i = 0; i < count; ++i) {
      const unsigned byte = type_byte(args[i]);
      known &= byte != 0;
      arrays |= (byte & 0x40u) != 0;
      key.types = key.types << 8 | byte;
    }
    if (arrays && known) {
      PyObject* kernel = op->latest && key == op->latest_key ? op->latest
                                                             : resolve(op, key, args, count);
      if (!kernel) return nullptr;
      if (kernel != Py_None) {
        const Owned held = Owned::borrow(kernel);
        PyObject* result = run(reinterpret_cast<ElementwiseKernel*>(kernel), args,
                               static_cast<int>(count));
        if (result || PyErr_Occurred()) return result;
      }
    }
  }
  return PyObject_Vectorcall(op->fallback, args, nargsf, keywords);
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"name", "fallback", "resolve", nullptr};
  PyObject *name, *fallback, *resolver;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOO:EagerOp", const_cast<char**>(names), &name,
                                   &fallback, &resolver))
    return nullptr;
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  EagerOp* op = as_op(self.get());
  op->base.vectorcall = call;
  op->fallback = Py_NewRef(fallback);
  op->resolve = Py_NewRef(resolver);
  op->kernels = new std::unordered_map<Key, Owned, KeyHash>;
  if (PyObject_SetAttrString(self.get(), "__name__", name) < 0 ||
      PyObject_SetAttrString(self.get(), "__qualname__", name) < 0)
    return nullptr;
  return Py_NewRef(self.get());
}

void forget(EagerOp* op) {
  op->latest = nullptr;
  if (!op->kernels) return;
  std::unordered_map<Key, Owned, KeyHash> old;
  old.swap(*op->kernels);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const EagerOp* op = as_op(self);
  Py_VISIT(op->fallback);
  Py_VISIT(op->resolve);
  if (op->kernels)
    for (const auto& entry : *op->kernels) Py_VISIT(entry.second.get());
  return callable_traverse(self, visit, arg);
}

int clear(PyObject* self) {
  EagerOp* op = as_op(self);
  Py_CLEAR(op->fallback);
  Py_CLEAR(op->resolve);
  forget(op);
  callable_clear(self);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_op(self)->base.weakrefs) PyObject_ClearWeakRefs(self);
  clear(self);
  delete as_op(self)->kernels;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* repr(PyObject* self) {
  const Owned name(PyObject_GetAttrString(self, "__name__"));
  return name ? PyUnicode_FromFormat("<vires function %U>", name.get()) : nullptr;
}

PyObject* clear_cache(PyObject* self, PyObject*) {
  forget(as_op(self));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"clear_cache", clear_cache, METH_NOARGS, "Forgets the resolved kernels."},
    {"__reduce__", callable_reduce, METH_NOARGS, "Pickles by qualified name."},
    {}};

}  // namespace

bool eager_ready(PyObject* module) {
  return add_callable_type(module, "vires._native.EagerOp", sizeof(EagerOp),
                           {{Py_tp_doc, const_cast<char*>("An elementwise function of arrays.")},
                            {Py_tp_new, reinterpret_cast<void*>(create)},
                            {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                            {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(clear)},
                            {Py_tp_repr, reinterpret_cast<void*>(repr)},
                            {Py_tp_methods, methods}});
}

}  // namespace vires

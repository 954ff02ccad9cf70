#include "array.h"

#include <string>
#include <vector>

namespace vires {

PyTypeObject* array_type = nullptr;

namespace {

PyObject* repr_function = nullptr;
PyObject* str_function = nullptr;

Array* blank(int code, bool weak, int ndim, const int64_t* dims) {
  if (ndim > kMaxDims) {
    PyErr_Format(PyExc_ValueError, "Array: needs at most %d axes; got %d", kMaxDims, ndim);
    return nullptr;
  }
  int64_t size = 1;
  bool overflow = false, empty = false;
  for (int i = 0; i < ndim; ++i) {
    empty |= dims[i] == 0;
    overflow |= __builtin_mul_overflow(size, dims[i], &size);
  }
  if (empty) {
    size = 0;
  } else if (overflow || size > INT64_MAX / 16) {
    PyErr_SetString(PyExc_MemoryError, "Array: the shape has more elements than memory can hold");
    return nullptr;
  }
  Array* array = static_cast<Array*>(PyObject_Malloc(sizeof(Array)));
  if (!array) return reinterpret_cast<Array*>(PyErr_NoMemory());
  array->dims = array->inline_dims;
  if (ndim > kInlineDims) {
    array->dims = static_cast<int64_t*>(PyMem_Malloc(ndim * sizeof(int64_t)));
    if (!array->dims) {
      PyObject_Free(array);
      return reinterpret_cast<Array*>(PyErr_NoMemory());
    }
  }
  for (int i = 0; i < ndim; ++i) array->dims[i] = dims[i];
  array->weakrefs = nullptr;
  array->aval = nullptr;
  array->buffer = nullptr;
  array->data = nullptr;
  array->strides = nullptr;
  array->size = size;
  array->code = static_cast<uint8_t>(code);
  array->weak = weak;
  array->ndim = static_cast<uint8_t>(ndim);
  PyObject_Init(as_object(array), array_type);
  return array;
}

void dealloc(PyObject* self) {
  Array* array = as_array(self);
  if (array->weakrefs) PyObject_ClearWeakRefs(self);
  Py_XDECREF(array->aval);
  Py_XDECREF(as_object(array->buffer));
  if (array->dims != array->inline_dims) PyMem_Free(array->dims);
  if (array->strides) PyMem_Free(array->strides);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* text(PyObject* self, PyObject* function) {
  if (function) return PyObject_CallOneArg(function, self);
  const Owned label = array_label(as_array(self));
  return label ? PyUnicode_FromFormat("Array(%U)", label.get()) : nullptr;
}

PyObject* repr(PyObject* self) { return text(self, repr_function); }
PyObject* str(PyObject* self) { return text(self, str_function); }

Py_hash_t hash(PyObject* self) {
  const Owned label = array_label(as_array(self));
  if (label)
    PyErr_Format(PyExc_TypeError,
                 "unhashable type: 'vires.Array' (%U): equality of arrays is elementwise; use a "
                 "hashable copy of the values, such as tuple(x.tolist()) or x.item(), or id(x)",
                 label.get());
  return -1;
}

PyObject* get_shape(PyObject* self, void*) { return shape_tuple(as_array(self)); }
PyObject* get_dtype(PyObject* self, void*) {
  return Py_NewRef(dtypes[as_array(self)->code].object);
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(as_array(self)->ndim); }
PyObject* get_size(PyObject* self, void*) { return PyLong_FromLongLong(as_array(self)->size); }
PyObject* get_nbytes(PyObject* self, void*) {
  return PyLong_FromLongLong(as_array(self)->nbytes());
}
PyObject* get_itemsize(PyObject* self, void*) {
  return PyLong_FromLong(dtypes[as_array(self)->code].itemsize);
}
PyObject* get_weak(PyObject* self, void*) { return PyBool_FromLong(as_array(self)->weak); }
PyObject* get_code(PyObject* self, void*) { return PyLong_FromLong(as_array(self)->code); }
PyObject* get_aval(PyObject* self, void*) { return array_aval(as_array(self)); }

PyGetSetDef getters[] = {
    {"shape", get_shape, nullptr, "Lengths of the axes, a tuple of ints."},
    {"dtype", get_dtype, nullptr, "Type of the elements."},
    {"ndim", get_ndim, nullptr, "Number of axes."},
    {"size", get_size, nullptr, "Number of elements."},
    {"nbytes", get_nbytes, nullptr, "Bytes of the elements."},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element."},
    {"weak_type", get_weak, nullptr, "Whether the dtype gives way to that of other operands."},
    {"_code", get_code, nullptr, "Code of the dtype in the native registry."},
    {"aval", get_aval, nullptr, "Abstract value: shape, dtype and weak type."},
    {}};

Py_ssize_t length(PyObject* self) {
  const Array* array = as_array(self);
  if (array->ndim) return static_cast<Py_ssize_t>(array->dims[0]);
  PyErr_SetString(PyExc_TypeError, "len() of unsized object: the array has no axes");
  return -1;
}

PyObject* view(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"shape", "byte_offset", "dtype", "weak", nullptr};
  PyObject *shape, *dtype = Py_None, *weak_object = Py_None;
  long long offset = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|LOO:_view", const_cast<char**>(names), &shape,
                                   &offset, &dtype, &weak_object))
    return nullptr;
  Array* array = as_array(self);
  if (!array_check(array)) return nullptr;
  int64_t dims[kMaxDims];
  const int ndim = parse_shape(shape, dims);
  if (ndim < 0) return nullptr;
  const int code = dtype == Py_None ? array->code : code_of(dtype);
  if (code < 0) return nullptr;
  int weak = array->weak;
  if (weak_object != Py_None && (weak = PyObject_IsTrue(weak_object)) < 0) return nullptr;
  Array* result = array_share(array->buffer, array->data + offset, code, weak, ndim, dims);
  if (result && (offset < 0 || offset + result->nbytes() > array->nbytes())) {
    PyErr_Format(PyExc_ValueError,
                 "_view: needs a range inside the array's %lld bytes; got %lld bytes at %lld",
                 static_cast<long long>(array->nbytes()),
                 static_cast<long long>(result->nbytes()), offset);
    Py_DECREF(result);
    return nullptr;
  }
  return as_object(result);
}

PyObject* is_deleted(PyObject* self, PyObject*) {
  return PyBool_FromLong(!as_array(self)->buffer);
}

PyObject* delete_method(PyObject* self, PyObject*) {
  array_delete(as_array(self));
  Py_RETURN_NONE;
}

PyObject* block_until_ready(PyObject* self, PyObject*) {
  return array_check(as_array(self)) ? Py_NewRef(self) : nullptr;
}

PyObject* pointer(PyObject* self, PyObject*) {
  return array_check(as_array(self)) ? PyLong_FromVoidPtr(as_array(self)->data) : nullptr;
}

PyObject* same(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyMethodDef own_methods[] = {
    {"_view", reinterpret_cast<PyCFunction>(view), METH_VARARGS | METH_KEYWORDS,
     "_view(shape, byte_offset=0, dtype=None, weak=None): an array over the same memory."},
    {"is_deleted", is_deleted, METH_NOARGS, "Whether delete() or a donation took the memory."},
    {"delete", delete_method, METH_NOARGS, "Gives the memory back; later uses raise."},
    {"block_until_ready", block_until_ready, METH_NOARGS, "The array itself; it is ready."},
    {"unsafe_buffer_pointer", pointer, METH_NOARGS, "Address of the first element."},
    {"__copy__", same, METH_NOARGS, "The array itself: it is immutable."},
    {"__deepcopy__", same, METH_O, "The array itself: it is immutable."},
    {}};

PyMemberDef members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Array, weakrefs), Py_READONLY, nullptr}, {}};

}  // namespace

Array* array_new(int code, bool weak, int ndim, const int64_t* dims) {
  Array* array = blank(code, weak, ndim, dims);
  if (!array) return nullptr;
  array->buffer = buffer_new(static_cast<size_t>(array->nbytes()));
  if (!array->buffer) {
    Py_DECREF(array);
    return nullptr;
  }
  array->data = array->buffer->data;
  return array;
}

Array* array_share(Buffer* buffer, char* data, int code, bool weak, int ndim,
                   const int64_t* dims) {
  Array* array = blank(code, weak, ndim, dims);
  if (!array) return nullptr;
  array->buffer = buffer;
  Py_INCREF(buffer);
  array->data = data;
  return array;
}

bool array_check(Array* array) {
  if (array->buffer && !array->strides) [[likely]] return true;
  return array_alive(array) && array_gather(array);
}

bool array_alive(const Array* array) {
  if (array->buffer) [[likely]] return true;
  const Owned label = array_label(array);
  if (label)
    PyErr_Format(PyExc_RuntimeError,
                 "Array: needs an array that holds data; got %U that was deleted or donated; "
                 "use the result it was donated to, or keep a copy", label.get());
  return false;
}

bool array_set_strides(Array* array, const int64_t* strides) {
  const size_t bytes = array->ndim * sizeof(int64_t);
  array->strides = static_cast<int64_t*>(PyMem_Malloc(bytes));
  if (!array->strides) {
    PyErr_NoMemory();
    return false;
  }
  std::memcpy(array->strides, strides, bytes);
  return true;
}

void array_delete(Array* array) {
  array->data = nullptr;
  PyMem_Free(std::exchange(array->strides, nullptr));
  Py_CLEAR(array->buffer);
}

PyObject* shape_tuple(const Array* array) {
  PyObject* shape = PyTuple_New(array->ndim);
  for (int i = 0; shape && i < array->ndim; ++i) {
    PyObject* length = PyLong_FromLongLong(array->dims[i]);
    if (!length) {
      Py_CLEAR(shape);
    } else {
      PyTuple_SET_ITEM(shape, i, length);
    }
  }
  return shape;
}

Owned array_label(const Array* array) {
  const Owned name = dtype_name(array->code);
  if (!name) return Owned();
  std::string shape;
  for (int i = 0; i < array->ndim; ++i) {
    if (i) shape += ',';
    shape += std::to_string(array->dims[i]);
  }
  return Owned(PyUnicode_FromFormat("%U[%s]", name.get(), shape.c_str()));
}

int parse_shape(PyObject* shape, int64_t* dims) {
  const Owned items(PySequence_Fast(shape, "shape: needs a sequence of ints"));
  if (!items) return -1;
  const Py_ssize_t ndim = PySequence_Fast_GET_SIZE(items.get());
  if (ndim > kMaxDims) {
    PyErr_Format(PyExc_ValueError, "shape: needs at most %d axes; got %zd", kMaxDims, ndim);
    return -1;
  }
  for (Py_ssize_t i = 0; i < ndim; ++i) {
    const Py_ssize_t length =
        PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(items.get(), i), PyExc_OverflowError);
    if (length == -1 && PyErr_Occurred()) return -1;
    if (length < 0) {
      PyErr_Format(PyExc_ValueError, "shape: needs lengths >= 0; got %R", shape);
      return -1;
    }
    dims[i] = length;
  }
  return static_cast<int>(ndim);
}

void set_array_text(PyObject* repr, PyObject* str) {
  Py_XSETREF(repr_function, Py_XNewRef(repr));
  Py_XSETREF(str_function, Py_XNewRef(str));
}

bool array_ready(PyObject* module) {
  static std::vector<PyMethodDef> methods;
  for (PyMethodDef* table : {own_methods, array_conversion_methods, array_dlpack_methods})
    for (PyMethodDef* method = table; method->ml_name; ++method) methods.push_back(*method);
  methods.push_back({});

  static std::vector<PyType_Slot> slots = {
      {Py_tp_doc, const_cast<char*>("An immutable array of numbers.")},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_repr, reinterpret_cast<void*>(repr)},
      {Py_tp_str, reinterpret_cast<void*>(str)},
      {Py_tp_hash, reinterpret_cast<void*>(hash)},
      {Py_tp_getset, getters},
      {Py_tp_methods, methods.data()},
      {Py_tp_members, members},
      {Py_mp_length, reinterpret_cast<void*>(length)},
      {Py_nb_bool, reinterpret_cast<void*>(array_bool)},
      {Py_nb_int, reinterpret_cast<void*>(array_int)},
      {Py_nb_float, reinterpret_cast<void*>(array_float)},
      {Py_nb_index, reinterpret_cast<void*>(array_index)},
      {Py_bf_getbuffer, reinterpret_cast<void*>(array_getbuffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(array_releasebuffer)}};
  for (PyType_Slot* slot = array_operator_slots; slot->slot; ++slot) slots.push_back(*slot);
  slots.push_back({0, nullptr});

  PyType_Spec spec = {"vires.Array", sizeof(Array), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots.data()};
  array_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!array_type) return false;
  PyObject* type = reinterpret_cast<PyObject*>(array_type);
  // ndarray and NumPy scalars leave `ndarray + Array` to us.
  const Owned priority(PyFloat_FromDouble(100.0));
  if (!priority || PyObject_SetAttrString(type, "__array_priority__", priority.get()) < 0)
    return false;
  return PyModule_AddObjectRef(module, "Array", type) == 0;
}

}  // namespace vires

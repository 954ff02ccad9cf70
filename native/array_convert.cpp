// Between arrays and NumPy, the buffer protocol, Python numbers and pickles.
#include "array.h"

namespace vires {
namespace {

// An ndarray over the array's memory that NumPy sees with `descr`; read-only.
PyObject* over_memory(Array* array, PyArray_Descr* descr) {
  if (!array_check(array)) return nullptr;
  npy_intp dims[kMaxDims];
  for (int i = 0; i < array->ndim; ++i) dims[i] = static_cast<npy_intp>(array->dims[i]);
  Py_INCREF(descr);
  PyObject* result =
      PyArray_NewFromDescr(&PyArray_Type, descr, array->ndim, dims, nullptr, array->data,
                           NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED, nullptr);
  if (!result) return nullptr;
  Py_INCREF(array->buffer);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(result),
                            as_object(array->buffer)) < 0) {
    Py_DECREF(result);
    return nullptr;
  }
  return result;
}

bool refuse_key(const Array* array, const char* what) {
  if (array->code != kKey) return false;
  PyErr_Format(PyExc_TypeError, "%s: a random key is opaque and is not a number; use "
               "random.key_data to see its bits", what);
  return true;
}

// The only element, for bool(), int(), ...; null with an exception.
const char* only_element(Array* array, const char* what, PyObject* error) {
  if (!array_check(array) || refuse_key(array, what)) return nullptr;
  if (array->size == 1) return array->data;
  const Owned label = array_label(array);
  if (label)
    PyErr_Format(error, "%s: needs an array of one element; got %U%s", what, label.get(),
                 error == PyExc_ValueError ? "; try x.any() or x.all()" : "");
  return nullptr;
}

PyObject* numpy_method(PyObject* self, PyObject*) { return array_numpy(as_array(self)); }

PyObject* array_method(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"dtype", "copy", nullptr};
  PyObject *dtype = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", const_cast<char**>(names),
                                   &dtype, &copy))
    return nullptr;
  if (refuse_key(as_array(self), "__array__")) return nullptr;
  Owned view(array_numpy(as_array(self)));
  if (!view) return nullptr;
  const int force = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (force < 0) return nullptr;
  PyArrayObject* source = reinterpret_cast<PyArrayObject*>(view.get());
  PyArray_Descr* wanted = nullptr;
  if (dtype != Py_None && !PyArray_DescrConverter(dtype, &wanted)) return nullptr;
  const bool cast = wanted && !PyArray_EquivTypes(wanted, PyArray_DESCR(source));
  if (!cast) {
    Py_XDECREF(wanted);
    return force ? PyArray_NewCopy(source, NPY_CORDER) : view.release();
  }
  if (copy != Py_None && !force) {
    PyErr_Format(PyExc_ValueError, "__array__: needs a copy to convert %R to %R; got copy=False",
                 PyArray_DESCR(source), wanted);
    Py_DECREF(wanted);
    return nullptr;
  }
  return PyArray_CastToType(source, wanted, 0);
}

PyObject* tolist(PyObject* self, PyObject*) {
  Array* array = as_array(self);
  if (!array_check(array) || refuse_key(array, "tolist")) return nullptr;
  if (array->ndim == 0) return read_scalar(array->data, array->code);
  Owned view(array_numpy(array));
  if (!view) return nullptr;
  // The types of ml_dtypes list as their own scalars; Python numbers are wanted.
  if (array->code == kBFloat16 || array->code >= kFirstSmall) {
    const int number = dtypes[array->code].integer ? NPY_INT32 : NPY_FLOAT32;
    view = Owned(PyArray_CastToType(reinterpret_cast<PyArrayObject*>(view.get()),
                                    PyArray_DescrFromType(number), 0));
    if (!view) return nullptr;
  }
  return PyArray_ToList(reinterpret_cast<PyArrayObject*>(view.get()));
}

PyObject* item(PyObject* self, PyObject* args) {
  Array* array = as_array(self);
  if (!array_check(array) || refuse_key(array, "item")) return nullptr;
  if (PyTuple_GET_SIZE(args) == 0) {
    const char* data = only_element(array, "item", PyExc_ValueError);
    return data ? read_scalar(data, array->code) : nullptr;
  }
  PyObject* first = PyTuple_GET_ITEM(args, 0);
  PyObject* index = PyTuple_GET_SIZE(args) == 1 && PyTuple_Check(first) ? first : args;
  const Py_ssize_t count = PyTuple_GET_SIZE(index);
  const bool flat = count == 1 && array->ndim != 1;
  if (!flat && count != array->ndim) {
    PyErr_Format(PyExc_ValueError, "item: needs one flat index or %d indices; got %zd",
                 array->ndim, count);
    return nullptr;
  }
  int64_t offset = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const int64_t length = flat ? array->size : array->dims[i];
    int64_t at = PyNumber_AsSsize_t(PyTuple_GET_ITEM(index, i), PyExc_IndexError);
    if (at == -1 && PyErr_Occurred()) return nullptr;
    if (at < -length || at >= length) {
      PyErr_Format(PyExc_IndexError, "item: needs an index from %lld to %lld; got %lld",
                   static_cast<long long>(-length), static_cast<long long>(length - 1),
                   static_cast<long long>(at));
      return nullptr;
    }
    offset = offset * length + (at < 0 ? at + length : at);
  }
  return read_scalar(array->data + offset * dtypes[array->code].itemsize, array->code);
}

PyObject* complex_method(PyObject* self, PyObject*) {
  const char* data = only_element(as_array(self), "complex", PyExc_TypeError);
  if (!data) return nullptr;
  const Owned number(read_scalar(data, as_array(self)->code));
  if (!number) return nullptr;
  const Py_complex value = PyComplex_AsCComplex(number.get());
  if (value.real == -1.0 && PyErr_Occurred()) return nullptr;
  return PyComplex_FromCComplex(value);
}

PyObject* format_method(PyObject* self, PyObject* spec) {
  Array* array = as_array(self);
  if (array->ndim == 0 && array->code != kKey) {
    if (!array_check(array)) return nullptr;
    const Owned number(read_scalar(array->data, array->code));
    return number ? PyObject_Format(number.get(), spec) : nullptr;
  }
  if (PyUnicode_Check(spec) && PyUnicode_GetLength(spec) > 0) {
    const Owned label = array_label(array);
    if (label)
      PyErr_Format(PyExc_TypeError, "format: needs a 0-d array for the format %R; got %U", spec,
                   label.get());
    return nullptr;
  }
  return PyObject_Str(self);
}

PyObject* reduce(PyObject* self, PyObject*) {
  Array* array = as_array(self);
  const Owned values(array_numpy(array));
  const Owned module(PyImport_ImportModule("vires._native"));
  if (!values || !module) return nullptr;
  const Owned restore(PyObject_GetAttrString(module.get(), "_restore"));
  if (!restore) return nullptr;
  return Py_BuildValue("O(OiO)", restore.get(), values.get(), static_cast<int>(array->code),
                       array->weak ? Py_True : Py_False);
}

// Letters of the struct module; null where only NumPy's dtype tells what the bytes mean.
const char* buffer_format(int code) {
  static const char* formats[] = {"?", "b", "h", "i", "q", "B", "H", "I",
                                  "Q", "e", nullptr, "f", "d", "Zf", "Zd"};
  return code <= kComplex128 ? formats[code] : nullptr;
}

struct Export {
  Buffer* buffer;
  Py_ssize_t dims[kMaxDims];
  Py_ssize_t strides[kMaxDims];
};

}  // namespace

PyMethodDef array_conversion_methods[] = {
    {"_numpy", numpy_method, METH_NOARGS, "Read-only ndarray over the same memory."},
    {"__array__", reinterpret_cast<PyCFunction>(array_method), METH_VARARGS | METH_KEYWORDS,
     "__array__(dtype=None, copy=None): the values as an ndarray."},
    {"tolist", tolist, METH_NOARGS, "The values as nested lists of Python numbers."},
    {"item", item, METH_VARARGS, "item(*index): one element as a Python number."},
    {"__complex__", complex_method, METH_NOARGS, "The only element as a complex number."},
    {"__format__", format_method, METH_O, "Text of a 0-d array in a number format."},
    {"__reduce__", reduce, METH_NOARGS, "How to pickle."},
    {}};

PyObject* array_numpy(Array* array) { return over_memory(array, dtypes[array->code].descr); }

PyObject* array_from_ndarray(PyObject* object, int code, bool weak, bool share) {
  PyArrayObject* source = reinterpret_cast<PyArrayObject*>(object);
  const int ndim = PyArray_NDIM(source);
  int64_t dims[kMaxDims];
  for (int i = 0; i < ndim; ++i) dims[i] = PyArray_DIM(source, i);
  const int flags = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED;
  if (share) {
    if (!PyArray_CHKFLAGS(source, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED) ||
        !PyArray_ISNOTSWAPPED(source)) {
      const Owned straight(PyArray_FromArray(source, nullptr, flags | NPY_ARRAY_ENSURECOPY));
      return straight ? array_from_ndarray(straight.get(), code, weak, true) : nullptr;
    }
    // A view of one of our arrays shares that array's memory.
    PyObject* base = PyArray_BASE(source);
    while (base && PyArray_Check(base)) base = PyArray_BASE(reinterpret_cast<PyArrayObject*>(base));
    if (base && is_buffer(base))
      return as_object(array_share(reinterpret_cast<Buffer*>(base), PyArray_BYTES(source), code,
                                   weak, ndim, dims));
    const Owned buffer(as_object(
        buffer_borrow(PyArray_BYTES(source), static_cast<size_t>(PyArray_NBYTES(source)), object)));
    if (!buffer) return nullptr;
    return as_object(array_share(reinterpret_cast<Buffer*>(buffer.get()), PyArray_BYTES(source),
                                 code, weak, ndim, dims));
  }
  Array* array = array_new(code, weak, ndim, dims);
  if (!array) return nullptr;
  if (PyArray_ISCARRAY_RO(source)) {
    std::memcpy(array->data, PyArray_DATA(source), static_cast<size_t>(array->nbytes()));
    return as_object(array);
  }
  // Strided or byte-swapped: NumPy copies it into our memory.
  npy_intp target_dims[kMaxDims];
  for (int i = 0; i < ndim; ++i) target_dims[i] = PyArray_DIM(source, i);
  PyArray_Descr* descr = dtypes[code].descr;
  Py_INCREF(descr);
  const Owned target(PyArray_NewFromDescr(&PyArray_Type, descr, ndim, target_dims, nullptr,
                                          array->data, NPY_ARRAY_CARRAY, nullptr));
  if (!target ||
      PyArray_CopyInto(reinterpret_cast<PyArrayObject*>(target.get()), source) < 0) {
    Py_DECREF(array);
    return nullptr;
  }
  return as_object(array);
}

PyObject* array_from_scalar(PyObject* value, int code, bool weak) {
  alignas(16) char bytes[16];
  if (write_scalar(value, code, bytes) != 1) return nullptr;
  Array* array = array_new(code, weak, 0, nullptr);
  if (array) std::memcpy(array->data, bytes, dtypes[code].itemsize);
  return as_object(array);
}

int array_getbuffer(PyObject* self, Py_buffer* view, int flags) {
  Array* array = as_array(self);
  view->obj = nullptr;
  if (!array_check(array)) return -1;
  const char* format = buffer_format(array->code);
  // NumPy would believe an integer format and show the bits of a bfloat16 as numbers.
  if (array->code == kKey || (!format && (flags & PyBUF_FORMAT))) {
    const Owned label = array_label(array);
    if (label)
      PyErr_Format(PyExc_BufferError, "buffer: no format says what %U holds; use numpy.asarray(x)",
                   label.get());
    return -1;
  }
  if (flags & PyBUF_WRITABLE) {
    PyErr_SetString(PyExc_BufferError, "buffer: arrays are immutable; take a copy: numpy.array(x)");
    return -1;
  }
  Export* exported = static_cast<Export*>(PyMem_Malloc(sizeof(Export)));
  if (!exported) {
    PyErr_NoMemory();
    return -1;
  }
  exported->buffer = array->buffer;
  Py_INCREF(array->buffer);
  Py_ssize_t stride = dtypes[array->code].itemsize;
  for (int i = array->ndim - 1; i >= 0; --i) {
    exported->dims[i] = array->dims[i];
    exported->strides[i] = stride;
    stride *= array->dims[i];
  }
  view->obj = Py_NewRef(self);
  view->buf = array->data;
  view->len = array->nbytes();
  view->readonly = 1;
  view->itemsize = dtypes[array->code].itemsize;
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
  view->ndim = array->ndim;
  view->shape = flags & PyBUF_ND ? exported->dims : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? exported->strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = exported;
  return 0;
}

void array_releasebuffer(PyObject*, Py_buffer* view) {
  Export* exported = static_cast<Export*>(view->internal);
  Py_DECREF(exported->buffer);
  PyMem_Free(exported);
}

int array_bool(PyObject* self) {
  const char* data = only_element(as_array(self), "bool", PyExc_ValueError);
  if (!data) return -1;
  if (as_array(self)->code == kBool) return *data != 0;
  const Owned number(read_scalar(data, as_array(self)->code));
  return number ? PyObject_IsTrue(number.get()) : -1;
}

PyObject* array_int(PyObject* self) {
  const char* data = only_element(as_array(self), "int", PyExc_TypeError);
  if (!data) return nullptr;
  const Owned number(read_scalar(data, as_array(self)->code));
  return number ? PyNumber_Long(number.get()) : nullptr;
}

PyObject* array_float(PyObject* self) {
  const char* data = only_element(as_array(self), "float", PyExc_TypeError);
  if (!data) return nullptr;
  const Owned number(read_scalar(data, as_array(self)->code));
  return number ? PyNumber_Float(number.get()) : nullptr;
}

PyObject* array_index(PyObject* self) {
  Array* array = as_array(self);
  if (array->ndim != 0 || !is_integer(array->code)) {
    const Owned label = array_label(array);
    if (label)
      PyErr_Format(PyExc_TypeError, "index: needs a 0-d array of integers; got %U", label.get());
    return nullptr;
  }
  return array_check(array) ? read_scalar(array->data, array->code) : nullptr;
}

}  // namespace vires

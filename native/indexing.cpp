#include "indexing.h"

namespace vires {
namespace {

// Contiguous slices of at least this many bytes share memory; smaller ones are copied, so that
// they do not keep a large array alive.
constexpr int64_t kShared = 4096;

// A strided part of an array.
struct Part {
  int64_t offset = 0;  // bytes
  int ndim = 0;
  int64_t dims[kMaxDims];
  int64_t strides[kMaxDims];  // bytes

  bool push(int64_t length, int64_t stride) {
    if (ndim == kMaxDims) return false;
    dims[ndim] = length;
    strides[ndim++] = stride;
    return true;
  }
};

template <class T>
void copy_elements(char* target, const char* source, int64_t stride, int64_t count) {
  T* out = reinterpret_cast<T*>(target);
  for (int64_t i = 0; i < count; ++i, source += stride)
    out[i] = *reinterpret_cast<const T*>(source);
}

struct Sixteen {
  uint64_t words[2];
};

void copy_row(char* target, const char* source, int64_t stride, int64_t count, int itemsize) {
  if (stride == itemsize) {
    std::memcpy(target, source, static_cast<size_t>(count * itemsize));
    return;
  }
  switch (itemsize) {
    case 1: return copy_elements<uint8_t>(target, source, stride, count);
    case 2: return copy_elements<uint16_t>(target, source, stride, count);
    case 4: return copy_elements<uint32_t>(target, source, stride, count);
    case 8: return copy_elements<uint64_t>(target, source, stride, count);
    default: return copy_elements<Sixteen>(target, source, stride, count);
  }
}

// Merges axes that can be walked as one, the last ones first: the result has long rows.
void merge_axes(Part* part) {
  int kept = 0;
  for (int d = 0; d < part->ndim; ++d) {
    if (part->dims[d] == 1) continue;
    if (kept && part->strides[kept - 1] == part->strides[d] * part->dims[d]) {
      part->dims[kept - 1] *= part->dims[d];
      part->strides[kept - 1] = part->strides[d];
    } else {
      part->dims[kept] = part->dims[d];
      part->strides[kept++] = part->strides[d];
    }
  }
  part->ndim = kept;
}

void copy_part(char* target, const char* source, const Part& part, int axis, int itemsize,
               int64_t row_bytes) {
  if (axis == part.ndim - 1)
    return copy_row(target, source, part.strides[axis], part.dims[axis], itemsize);
  const int64_t step = row_bytes / part.dims[axis];
  for (int64_t i = 0; i < part.dims[axis]; ++i)
    copy_part(target + i * step, source + i * part.strides[axis], part, axis + 1, itemsize, step);
}

PyObject* take(Array* array, const Part& part) {
  const int itemsize = dtypes[array->code].itemsize;
  char* source = array->data + part.offset;
  int64_t bytes = itemsize;
  bool contiguous = true;
  for (int d = part.ndim - 1; d >= 0; --d) {
    contiguous &= part.dims[d] == 1 || part.strides[d] == bytes;
    bytes *= part.dims[d];
  }
  if (contiguous && bytes >= kShared)
    return as_object(array_share(array->buffer, source, array->code, array->weak, part.ndim,
                                 part.dims));
  Array* result = array_new(array->code, array->weak, part.ndim, part.dims);
  if (!result || bytes == 0) return as_object(result);
  if (contiguous) {
    std::memcpy(result->data, source, static_cast<size_t>(bytes));
  } else {
    Part merged = part;
    merge_axes(&merged);
    copy_part(result->data, source, merged, 0, itemsize, bytes);
  }
  return as_object(result);
}

bool plain(PyObject* object) { return object == Py_None || PyLong_CheckExact(object); }

// Applies one entry of an index to axis `axis`; 1: done, 0: not for us, -1: exception.
int apply(const Array* array, PyObject* entry, int axis, int64_t stride, Part* part) {
  const int64_t length = array->dims[axis];
  if (PyLong_CheckExact(entry)) {
    int overflow = 0;
    long long at = PyLong_AsLongLongAndOverflow(entry, &overflow);
    if (overflow || at < -length || at >= length) return 0;
    part->offset += (at < 0 ? at + length : at) * stride;
    return 1;
  }
  PySliceObject* slice = reinterpret_cast<PySliceObject*>(entry);
  if (!plain(slice->start) || !plain(slice->stop) || !plain(slice->step)) return 0;
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(entry, &start, &stop, &step) < 0) return -1;
  const Py_ssize_t count = PySlice_AdjustIndices(length, &start, &stop, step);
  if (count > 0) part->offset += start * stride;
  // A huge step leaves one element, and its product with the stride would overflow.
  return part->push(count, count > 1 ? step * stride : stride) ? 1 : 0;
}

// The part that the entries select; 1: done, 0: not for us, -1: exception.
int select(const Array* array, PyObject* const* entries, Py_ssize_t count, Part* part) {
  int used = 0, ellipses = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* entry = entries[i];
    if (entry == Py_Ellipsis) {
      ++ellipses;
    } else if (PyLong_CheckExact(entry) || PySlice_Check(entry)) {
      ++used;
    } else if (entry != Py_None) {
      return 0;
    }
  }
  if (ellipses > 1 || used > array->ndim) return 0;
  int64_t strides[kMaxDims];
  int64_t stride = dtypes[array->code].itemsize;
  for (int d = array->ndim - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= array->dims[d];
  }
  int axis = 0;
  const int whole = array->ndim - used;  // axes that the ellipsis, or the end, stands for
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* entry = entries[i];
    if (entry == Py_None) {
      if (!part->push(1, 0)) return 0;
    } else if (entry == Py_Ellipsis) {
      for (int k = 0; k < whole; ++k, ++axis)
        if (!part->push(array->dims[axis], strides[axis])) return 0;
    } else {
      const int done = apply(array, entry, axis, strides[axis], part);
      if (done != 1) return done;
      ++axis;
    }
  }
  for (; axis < array->ndim; ++axis)
    if (!part->push(array->dims[axis], strides[axis])) return 0;
  return 1;
}

struct Iterator {
  PyObject_HEAD
  Array* array;
  int64_t next;
};

PyTypeObject iterator_type = {PyVarObject_HEAD_INIT(nullptr, 0)};

void dealloc(PyObject* self) {
  Py_XDECREF(as_object(reinterpret_cast<Iterator*>(self)->array));
  PyObject_Free(self);
}

PyObject* next(PyObject* self) {
  Iterator* iterator = reinterpret_cast<Iterator*>(self);
  Array* array = iterator->array;
  if (iterator->next >= array->dims[0]) return nullptr;
  if (!array_check(array)) return nullptr;
  const int itemsize = dtypes[array->code].itemsize;
  int64_t bytes = itemsize;
  for (int d = 1; d < array->ndim; ++d) bytes *= array->dims[d];
  char* source = array->data + iterator->next++ * bytes;
  if (bytes >= kShared)
    return as_object(array_share(array->buffer, source, array->code, array->weak, array->ndim - 1,
                                 array->dims + 1));
  Array* slice = array_new(array->code, array->weak, array->ndim - 1, array->dims + 1);
  if (slice) std::memcpy(slice->data, source, static_cast<size_t>(bytes));
  return as_object(slice);
}

PyObject* length_hint(PyObject* self, PyObject*) {
  const Iterator* iterator = reinterpret_cast<Iterator*>(self);
  return PyLong_FromLongLong(iterator->array->dims[0] - iterator->next);
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS, "Number of slices that are left."}, {}};

}  // namespace

bool indexing_ready() {
  iterator_type.tp_name = "vires._native.ArrayIterator";
  iterator_type.tp_basicsize = sizeof(Iterator);
  iterator_type.tp_dealloc = dealloc;
  iterator_type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  iterator_type.tp_iter = PyObject_SelfIter;
  iterator_type.tp_iternext = next;
  iterator_type.tp_methods = iterator_methods;
  return PyType_Ready(&iterator_type) == 0;
}

PyObject* basic_index(Array* array, PyObject* index) {
  if (!array_check(array)) return nullptr;
  Part part;
  const bool is_tuple = PyTuple_CheckExact(index);
  const int done = is_tuple ? select(array, PySequence_Fast_ITEMS(index), PyTuple_GET_SIZE(index),
                                     &part)
                            : select(array, &index, 1, &part);
  return done == 1 ? take(array, part) : nullptr;
}

PyObject* iterate(Array* array) {
  Iterator* iterator = PyObject_New(Iterator, &iterator_type);
  if (!iterator) return nullptr;
  Py_INCREF(as_object(array));
  iterator->array = array;
  iterator->next = 0;
  return as_object(iterator);
}

}  // namespace vires

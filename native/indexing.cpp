#include "indexing.h"

#include <algorithm>

#include "selection.h"

namespace vires {
namespace {

bool plain(PyObject* object) { return object == Py_None || PyLong_CheckExact(object); }

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
  if (!array_alive(array)) return nullptr;
  const Part all = whole(array);
  Part slice;
  slice.start = all.start + iterator->next++ * all.strides[0];
  slice.ndim = all.ndim - 1;
  std::copy_n(all.dims + 1, slice.ndim, slice.dims);
  std::copy_n(all.strides + 1, slice.ndim, slice.strides);
  return array_of_part(array, slice);
}

PyObject* length_hint(PyObject* self, PyObject*) {
  const Iterator* iterator = reinterpret_cast<Iterator*>(self);
  return PyLong_FromLongLong(iterator->array->dims[0] - iterator->next);
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS, "Number of slices that are left."}, {}};

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
  const Part all = whole(array);
  const int64_t* strides = all.strides;
  part->start = all.start;
  int axis = 0;
  const int untouched = array->ndim - used;  // axes that the ellipsis, or the end, stands for
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* entry = entries[i];
    if (entry == Py_None) {
      if (!part->push(1, 0)) return 0;
    } else if (entry == Py_Ellipsis) {
      for (int k = 0; k < untouched; ++k, ++axis)
        if (!part->push(array->dims[axis], strides[axis])) return 0;
    } else {
      const int done = basic_entry(array, entry, axis, strides[axis], part);
      if (done != 1) return done;
      ++axis;
    }
  }
  for (; axis < array->ndim; ++axis)
    if (!part->push(array->dims[axis], strides[axis])) return 0;
  return 1;
}

}  // namespace

int basic_entry(const Array* array, PyObject* entry, int axis, int64_t stride, Part* part) {
  const int64_t length = array->dims[axis];
  if (PyLong_CheckExact(entry)) {
    int overflow = 0;
    long long at = PyLong_AsLongLongAndOverflow(entry, &overflow);
    if (overflow || at < -length || at >= length) return 0;
    part->start += (at < 0 ? at + length : at) * stride;
    return 1;
  }
  PySliceObject* slice = reinterpret_cast<PySliceObject*>(entry);
  if (!plain(slice->start) || !plain(slice->stop) || !plain(slice->step)) return 0;
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(entry, &start, &stop, &step) < 0) return -1;
  const Py_ssize_t count = PySlice_AdjustIndices(length, &start, &stop, step);
  if (count > 0) part->start += start * stride;
  // A huge step leaves one element, and its product with the stride would overflow.
  return part->push(count, count > 1 ? step * stride : stride) ? 1 : 0;
}

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

int basic_part(const Array* array, PyObject* index, Part* part) {
  return PyTuple_CheckExact(index)
             ? select(array, PySequence_Fast_ITEMS(index), PyTuple_GET_SIZE(index), part)
             : select(array, &index, 1, part);
}

PyObject* index_array(Array* array, PyObject* index) {
  if (!array_alive(array)) return nullptr;
  Part part;
  if (array->ndim == 1 && PyLong_CheckExact(index)) {  // one element: often, and soon done
    const int itemsize = dtypes[array->code].itemsize;
    part.start = array->data;
    const int64_t stride = array->strides ? array->strides[0] : itemsize;
    if (basic_entry(array, index, 0, stride, &part) != 1) return nullptr;
    Array* element = array_new(array->code, array->weak, 0, nullptr);
    if (element) std::memcpy(element->data, part.start, static_cast<size_t>(itemsize));
    return as_object(element);
  }
  const int done = basic_part(array, index, &part);
  if (done == 1) return array_of_part(array, part);
  if (done < 0) return nullptr;
  Selection selection;
  return select_elements(array, index, &selection) == 1 ? gather(array, selection) : nullptr;
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

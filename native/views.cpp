// Shortcuts to the same elements in other shapes and orders.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "shortcut.h"
#include "strided.h"

namespace vires {
namespace {

bool named(PyObject* keywords) { return keywords && PyTuple_GET_SIZE(keywords) > 0; }

// A small exact int; false for anything else.
bool read_int(PyObject* object, int64_t* value) {
  if (!PyLong_CheckExact(object)) return false;
  int overflow = 0;
  *value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return !overflow;
}

// An exact int as an axis of `ndim`.
bool read_axis(PyObject* object, int ndim, int* axis) {
  int64_t value;
  if (!read_int(object, &value) || value < -ndim || value >= ndim) return false;
  *axis = static_cast<int>(value < 0 ? value + ndim : value);
  return true;
}

// Whether the first argument is an array that this file may look at.
bool takes(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return count > 0 && !named(keywords) && is_array(args[0]) && as_array(args[0])->buffer;
}

PyObject* with_shape(Array* array, int ndim, const int64_t* dims) {
  if (!array_check(array)) return nullptr;
  return as_object(
      array_share(array->buffer, array->data, array->code, array->weak, ndim, dims));
}

// The sizes in `items`, of which one may be -1.
PyObject* reshaped(Array* array, PyObject* const* items, Py_ssize_t count) {
  if (count > kMaxDims) return nullptr;
  int64_t dims[kMaxDims], known = 1;
  Py_ssize_t unknown = -1;
  for (Py_ssize_t d = 0; d < count; ++d) {
    if (!read_int(items[d], &dims[d])) return nullptr;
    if (dims[d] == -1 && unknown < 0) {
      unknown = d;
    } else if (dims[d] < 0 || __builtin_mul_overflow(known, dims[d], &known)) {
      return nullptr;
    }
  }
  if (unknown >= 0) {
    if (known == 0 || array->size % known != 0) return nullptr;
    dims[unknown] = array->size / known;
  } else if (known != array->size) {
    return nullptr;
  }
  if (count == array->ndim && std::equal(dims, dims + count, array->dims))
    return Py_NewRef(as_object(array));
  return with_shape(array, static_cast<int>(count), dims);
}

// reshape(x, shape), x.reshape(shape), x.reshape(*sizes).
PyObject* reshape(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count < 2) return nullptr;
  Array* array = as_array(args[0]);
  if (count == 2 && PyTuple_CheckExact(args[1]))
    return reshaped(array, PySequence_Fast_ITEMS(args[1]), PyTuple_GET_SIZE(args[1]));
  return reshaped(array, args + 1, count - 1);
}

// As above, but a second size would be the order.
PyObject* reshape_function(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  return count == 2 ? reshape(args, count, keywords) : nullptr;
}

PyObject* ravel(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count > 1) return nullptr;
  Array* array = as_array(args[0]);
  return array->ndim == 1 ? Py_NewRef(args[0]) : with_shape(array, 1, &array->size);
}

// The axes in the given order.
PyObject* permuted(Array* array, const int* order) {
  const Part all = whole(array);
  Part part;
  part.start = all.start;
  bool same = true;
  for (int d = 0; d < all.ndim; ++d) {
    part.push(all.dims[order[d]], all.strides[order[d]]);
    same &= order[d] == d;
  }
  return same ? Py_NewRef(as_object(array)) : array_of_part(array, part);
}

// transpose(x), transpose(x, axes), x.transpose(*axes).
PyObject* transpose(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords)) return nullptr;
  Array* array = as_array(args[0]);
  const int ndim = array->ndim;
  int order[kMaxDims];
  if (count == 1) {
    for (int d = 0; d < ndim; ++d) order[d] = ndim - 1 - d;
    return permuted(array, order);
  }
  PyObject* const* axes = args + 1;
  Py_ssize_t given = count - 1;
  if (given == 1 && PyTuple_CheckExact(args[1])) {
    axes = PySequence_Fast_ITEMS(args[1]);
    given = PyTuple_GET_SIZE(args[1]);
  }
  if (given != ndim) return nullptr;
  uint64_t seen = 0;
  for (int d = 0; d < ndim; ++d) {
    if (!read_axis(axes[d], ndim, &order[d]) || (seen >> order[d] & 1)) return nullptr;
    seen |= uint64_t{1} << order[d];
  }
  return permuted(array, order);
}

PyObject* exchanged(Array* array, int first, int second) {
  int order[kMaxDims];
  for (int d = 0; d < array->ndim; ++d) order[d] = d;
  std::swap(order[first], order[second]);
  return permuted(array, order);
}

PyObject* matrix_transpose(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 1) return nullptr;
  Array* array = as_array(args[0]);
  return array->ndim < 2 ? nullptr : exchanged(array, array->ndim - 2, array->ndim - 1);
}

PyObject* swapaxes(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 3) return nullptr;
  Array* array = as_array(args[0]);
  int first, second;
  if (!read_axis(args[1], array->ndim, &first) || !read_axis(args[2], array->ndim, &second))
    return nullptr;
  return exchanged(array, first, second);
}

PyObject* moveaxis(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 3) return nullptr;
  Array* array = as_array(args[0]);
  int source, destination, order[kMaxDims];
  if (!read_axis(args[1], array->ndim, &source) ||
      !read_axis(args[2], array->ndim, &destination))
    return nullptr;
  for (int d = 0, next = 0; d < array->ndim; ++d) {
    next += next == source;
    order[d] = d == destination ? source : next++;
  }
  return permuted(array, order);
}

PyObject* squeeze(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count > 2) return nullptr;
  Array* array = as_array(args[0]);
  int only = -1;
  if (count == 2 && (!read_axis(args[1], array->ndim, &only) || array->dims[only] != 1))
    return nullptr;
  int64_t dims[kMaxDims];
  int ndim = 0;
  for (int d = 0; d < array->ndim; ++d)
    if (only < 0 ? array->dims[d] != 1 : d != only) dims[ndim++] = array->dims[d];
  return ndim == array->ndim ? Py_NewRef(args[0]) : with_shape(array, ndim, dims);
}

PyObject* expand_dims(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 2) return nullptr;
  Array* array = as_array(args[0]);
  int axis;
  if (array->ndim == kMaxDims || !read_axis(args[1], array->ndim + 1, &axis)) return nullptr;
  int64_t dims[kMaxDims];
  std::copy_n(array->dims, axis, dims);
  dims[axis] = 1;
  std::copy_n(array->dims + axis, array->ndim - axis, dims + axis + 1);
  return with_shape(array, array->ndim + 1, dims);
}

PyObject* broadcast_to(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 2 || !PyTuple_CheckExact(args[1])) return nullptr;
  Array* array = as_array(args[0]);
  const Part all = whole(array);
  const Py_ssize_t ndim = PyTuple_GET_SIZE(args[1]);
  if (ndim > kMaxDims || ndim < all.ndim) return nullptr;
  Part part;
  part.start = all.start;
  const int shift = static_cast<int>(ndim) - all.ndim;
  bool same = shift == 0;
  int64_t size = 1;
  for (int d = 0; d < ndim; ++d) {
    int64_t length;
    const int64_t own = d < shift ? 1 : all.dims[d - shift];
    if (!read_int(PyTuple_GET_ITEM(args[1], d), &length) || length < 0 ||
        (own != 1 && own != length) || __builtin_mul_overflow(size, length, &size))
      return nullptr;
    part.push(length, own == length && d >= shift ? all.strides[d - shift] : 0);
    same &= own == length;
  }
  return same ? Py_NewRef(args[0]) : array_of_part(array, part);
}

// x.real of real numbers is x.
PyObject* real(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 1) return nullptr;
  const int code = as_array(args[0])->code;
  return code <= kFloat64 ? Py_NewRef(args[0]) : nullptr;
}

// A new array over the same memory: nobody can tell it from a copy.
PyObject* copy(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (!takes(args, count, keywords) || count != 1) return nullptr;
  Array* array = as_array(args[0]);
  return with_shape(array, array->ndim, array->dims);
}

struct Entry {
  std::string_view name;
  ShortcutFunction function;
};
constexpr Entry entries[] = {
    {"reshape", reshape},         {"reshape_function", reshape_function},
    {"ravel", ravel},             {"transpose", transpose},
    {"swapaxes", swapaxes},       {"matrix_transpose", matrix_transpose},
    {"moveaxis", moveaxis},       {"squeeze", squeeze},
    {"expand_dims", expand_dims}, {"broadcast_to", broadcast_to},
    {"real", real},               {"copy", copy}};

}  // namespace

ShortcutFunction find_view_shortcut(const char* name) {
  const auto found = std::find_if(std::begin(entries), std::end(entries),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(entries) ? nullptr : found->function;
}

}  // namespace vires

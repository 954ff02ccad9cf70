#include "selection.h"

#include <algorithm>

#include "numpy_value.h"

namespace vires {
namespace {

// An array of an index, ours or NumPy's.
struct Indices {
  const char* data;
  int code;
  int ndim;
  const int64_t* dims;

  int64_t size() const {
    int64_t product = 1;
    for (int d = 0; d < ndim; ++d) product *= dims[d];
    return product;
  }
};

// 1: integers or booleans; 0: something else; -1: exception.
int read_indices(PyObject* object, Indices* indices) {
  if (is_array(object)) {
    Array* array = as_array(object);
    if (array->code > kUInt32 || !array->buffer) return 0;
    if (!array_check(array)) return -1;
    *indices = {array->data, array->code, array->ndim, array->dims};
    return 1;
  }
  if (!PyArray_CheckExact(object)) return 0;
  auto* ndarray = reinterpret_cast<PyArrayObject*>(object);
  const int code = numpy_code(object);
  if (code < 0 || code > kUInt32 || !PyArray_ISCARRAY_RO(ndarray)) return 0;
  *indices = {PyArray_BYTES(ndarray), code, PyArray_NDIM(ndarray),
              reinterpret_cast<const int64_t*>(PyArray_DIMS(ndarray))};
  return 1;
}

// One index array (or int) with the axis that it looks up.
struct Lookup {
  const char* data;
  int code;
  int ndim;
  const int64_t* dims;
  int64_t length, stride;
};

template <class T>
bool add_places(const Lookup& lookup, int ndim, const int64_t* dims, int64_t* offsets) {
  const T* values = reinterpret_cast<const T*>(lookup.data);
  int64_t count = 1;
  for (int d = 0; d < ndim; ++d) count *= dims[d];
  const auto place = [&](int64_t at, int64_t* offset) {
    if (at < 0) at += lookup.length;
    *offset += at * lookup.stride;
    return at >= 0 && at < lookup.length;
  };
  bool inside = true;
  if (lookup.ndim == ndim && std::equal(dims, dims + ndim, lookup.dims)) {
    for (int64_t i = 0; i < count; ++i)
      inside &= place(static_cast<int64_t>(values[i]), offsets + i);
    return inside;
  }
  int64_t steps[kMaxDims], step = 1;
  for (int d = ndim; d-- > 0;) {
    const int own = d - (ndim - lookup.ndim);
    const int64_t length = own < 0 ? 1 : lookup.dims[own];
    steps[d] = length == 1 ? 0 : step;
    step *= length;
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, from = 0;
    for (int d = ndim; d-- > 0;) {
      from += rest % dims[d] * steps[d];
      rest /= dims[d];
    }
    inside &= place(static_cast<int64_t>(values[from]), offsets + i);
  }
  return inside;
}

bool add_places(const Lookup& lookup, int ndim, const int64_t* dims, int64_t* offsets) {
  switch (lookup.code) {
    case kInt8: return add_places<int8_t>(lookup, ndim, dims, offsets);
    case kInt16: return add_places<int16_t>(lookup, ndim, dims, offsets);
    case kInt32: return add_places<int32_t>(lookup, ndim, dims, offsets);
    case kInt64: return add_places<int64_t>(lookup, ndim, dims, offsets);
    case kUInt8: return add_places<uint8_t>(lookup, ndim, dims, offsets);
    case kUInt16: return add_places<uint16_t>(lookup, ndim, dims, offsets);
    default: return add_places<uint32_t>(lookup, ndim, dims, offsets);
  }
}

// The offsets of the elements where a mask over `ndim` axes holds.
void mask_offsets(const Indices& mask, const int64_t* strides, std::vector<int64_t>* offsets) {
  const int64_t size = mask.size();
  int64_t count = 0;
  for (int64_t i = 0; i < size; ++i) count += mask.data[i] != 0;
  offsets->resize(static_cast<size_t>(count) + 1);  // one more: every place is written
  int64_t* next = offsets->data();
  const int last = mask.ndim - 1;
  const int64_t row = mask.dims[last], rows = row ? size / row : 0;
  const char* holds = mask.data;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t rest = r, offset = 0;
    for (int d = last; d-- > 0;) {
      offset += rest % mask.dims[d] * strides[d];
      rest /= mask.dims[d];
    }
    for (int64_t j = 0; j < row; ++j, offset += strides[last]) {
      *next = offset;
      next += *holds++ != 0;
    }
  }
  offsets->resize(static_cast<size_t>(count));
}

struct Entries {
  PyObject* const* items;
  Py_ssize_t count;
};

// Walks all places of a part.
template <class Step>
void walk(const Part& part, const char* start, const Step& step, int axis = 0) {
  if (axis == part.ndim) return step(start);
  for (int64_t i = 0; i < part.dims[axis]; ++i)
    walk(part, start + i * part.strides[axis], step, axis + 1);
}

template <class T>
char* gather_elements(char* out, const char* start, const std::vector<int64_t>& offsets) {
  T* target = reinterpret_cast<T*>(out);
  for (int64_t offset : offsets) *target++ = *reinterpret_cast<const T*>(start + offset);
  return reinterpret_cast<char*>(target);
}

struct Sixteen {
  uint64_t words[2];
};

char* gather_elements(char* out, const char* start, const std::vector<int64_t>& offsets,
                      int itemsize) {
  switch (itemsize) {
    case 1: return gather_elements<uint8_t>(out, start, offsets);
    case 2: return gather_elements<uint16_t>(out, start, offsets);
    case 4: return gather_elements<uint32_t>(out, start, offsets);
    case 8: return gather_elements<uint64_t>(out, start, offsets);
    default: return gather_elements<Sixteen>(out, start, offsets);
  }
}

}  // namespace

int Selection::shape(int64_t* result) const {
  if (before.ndim + ndim + after.ndim > kMaxDims) return -1;
  int64_t* end = std::copy_n(before.dims, before.ndim, result);
  end = std::copy_n(dims, ndim, end);
  end = std::copy_n(after.dims, after.ndim, end);
  return static_cast<int>(end - result);
}

int select_elements(Array* array, PyObject* index, Selection* selection) {
  const Entries entries = PyTuple_CheckExact(index)
                              ? Entries{PySequence_Fast_ITEMS(index), PyTuple_GET_SIZE(index)}
                              : Entries{&index, 1};
  // First what each entry is: arrays, ints (which count as arrays next to them), parts of axes.
  constexpr int kMost = 16;
  if (entries.count > kMost) return 0;
  Indices arrays[kMost];
  bool is_indices[kMost], is_mask[kMost] = {};
  int used = 0, ellipses = 0, masks = 0, looked = 0;
  for (Py_ssize_t i = 0; i < entries.count; ++i) {
    PyObject* entry = entries.items[i];
    is_indices[i] = false;
    if (entry == Py_Ellipsis) {
      ++ellipses;
    } else if (entry == Py_None) {
    } else if (PyLong_CheckExact(entry) || PySlice_Check(entry)) {
      ++used;
    } else {
      const int known = read_indices(entry, &arrays[i]);
      if (known != 1) return known;
      is_indices[i] = true;
      is_mask[i] = arrays[i].code == kBool;
      if (is_mask[i] && arrays[i].ndim == 0) return 0;
      masks += is_mask[i];
      ++looked;
      used += is_mask[i] ? arrays[i].ndim : 1;
    }
  }
  if (!looked || ellipses > 1 || used > array->ndim || masks > 1 || (masks && looked > 1))
    return 0;

  const Part all = whole(array);
  Part basics[2];  // before and after the first index array
  basics[0].start = basics[1].start = all.start;
  Lookup lookups[kMost];
  int64_t ints[kMost];
  int count = 0, axis = 0, side = 0;
  bool adjacent = true, closed = false;  // closed: something basic came after an index array
  int64_t shift = 0;
  for (Py_ssize_t i = 0; i < entries.count; ++i) {
    PyObject* entry = entries.items[i];
    const bool is_int = PyLong_CheckExact(entry);
    if (is_int && masks) return 0;
    if (is_indices[i] || is_int) {
      if (closed) adjacent = false;
      side = 1;
      if (is_mask[i]) {
        for (int d = 0; d < arrays[i].ndim; ++d)
          if (arrays[i].dims[d] != all.dims[axis + d]) return 0;
        mask_offsets(arrays[i], all.strides + axis, &selection->offsets);
        axis += arrays[i].ndim;
      } else if (is_int) {
        int overflow = 0;
        ints[count] = PyLong_AsLongLongAndOverflow(entry, &overflow);
        if (overflow) return 0;
        lookups[count] = {reinterpret_cast<const char*>(&ints[count]), kInt64, 0, nullptr,
                          all.dims[axis], all.strides[axis]};
        ++count;
        ++axis;
      } else {
        lookups[count++] = {arrays[i].data, arrays[i].code, arrays[i].ndim, arrays[i].dims,
                            all.dims[axis], all.strides[axis]};
        ++axis;
      }
      continue;
    }
    closed |= side == 1;
    Part& part = basics[side];
    if (entry == Py_None) {
      if (!part.push(1, 0)) return 0;
    } else if (entry == Py_Ellipsis) {
      for (int k = array->ndim - used; k > 0; --k, ++axis)
        if (!part.push(all.dims[axis], all.strides[axis])) return 0;
    } else {
      const char* before = part.start;
      const int done = basic_entry(array, entry, axis, all.strides[axis], &part);
      if (done != 1) return done;
      shift += part.start - before;
      ++axis;
    }
  }
  for (; axis < array->ndim; ++axis)
    if (!basics[1].push(all.dims[axis], all.strides[axis])) return 0;

  if (!masks) {
    selection->ndim = 0;
    for (int k = 0; k < count; ++k) selection->ndim = std::max(selection->ndim, lookups[k].ndim);
    std::fill_n(selection->dims, selection->ndim, 1);
    for (int k = 0; k < count; ++k) {
      for (int d = 0; d < lookups[k].ndim; ++d) {
        int64_t& length = selection->dims[d + selection->ndim - lookups[k].ndim];
        if (lookups[k].dims[d] == 1 || lookups[k].dims[d] == length) continue;
        if (length != 1) return 0;
        length = lookups[k].dims[d];
      }
    }
    int64_t size = 1;
    for (int d = 0; d < selection->ndim; ++d) size *= selection->dims[d];
    selection->offsets.assign(static_cast<size_t>(size), 0);
    for (int k = 0; k < count; ++k)
      if (!add_places(lookups[k], selection->ndim, selection->dims, selection->offsets.data()))
        return 0;
  } else {
    selection->ndim = 1;
    selection->dims[0] = static_cast<int64_t>(selection->offsets.size());
  }
  if (adjacent) {
    selection->before = basics[0];
    selection->after = basics[1];
  } else {  // the axes of the index arrays come first
    selection->after = basics[0];
    for (int d = 0; d < basics[1].ndim; ++d)
      if (!selection->after.push(basics[1].dims[d], basics[1].strides[d])) return 0;
  }
  selection->before.start = all.start + shift;
  return 1;
}

PyObject* gather(const Array* array, const Selection& selection) {
  int64_t dims[kMaxDims];
  const int ndim = selection.shape(dims);
  if (ndim < 0) return nullptr;
  Array* result = array_new(array->code, array->weak, ndim, dims);
  if (!result || result->size == 0) return as_object(result);
  const int itemsize = dtypes[array->code].itemsize;
  int64_t block = itemsize;
  bool contiguous = true;
  for (int d = selection.after.ndim; d-- > 0;) {
    contiguous &= selection.after.dims[d] == 1 || selection.after.strides[d] == block;
    block *= selection.after.dims[d];
  }
  char* out = result->data;
  walk(selection.before, selection.before.start, [&](const char* start) {
    if (block == itemsize) {
      out = gather_elements(out, start, selection.offsets, itemsize);
      return;
    }
    Part part = selection.after;
    for (int64_t offset : selection.offsets) {
      part.start = start + offset;
      if (contiguous) {
        std::memcpy(out, part.start, static_cast<size_t>(block));
      } else {
        copy_part(out, part, itemsize);
      }
      out += block;
    }
  });
  return as_object(result);
}

}  // namespace vires

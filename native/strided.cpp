#include "strided.h"

#include <algorithm>

#include "threads.h"

namespace vires {
namespace {

// Parts of at least this many bytes share memory.
constexpr int64_t kShared = 512;
constexpr int64_t kThreaded = 1 << 20;  // bytes; below this one thread is faster
constexpr int64_t kTaskBytes = 256 << 10;
constexpr int64_t kTile = 16;           // rows and columns of a tile of a transposition

struct Sixteen {
  uint64_t words[2];
};

// Element i of the contiguous side is at i, of the strided side at i * stride bytes.
template <bool kStore, class T>
void move_row(char* flat, char* strided, int64_t stride, int64_t count) {
  T* row = reinterpret_cast<T*>(flat);
  for (int64_t i = 0; i < count; ++i, strided += stride) {
    if constexpr (kStore)
      *reinterpret_cast<T*>(strided) = row[i];
    else
      row[i] = *reinterpret_cast<const T*>(strided);
  }
}

template <bool kStore, class T>
void move_plane(char* flat, char* strided, const int64_t* dims, const int64_t* strides) {
  for (int64_t i0 = 0; i0 < dims[0]; i0 += kTile) {
    const int64_t i1 = std::min(dims[0], i0 + kTile);
    for (int64_t j0 = 0; j0 < dims[1]; j0 += kTile) {
      const int64_t n = std::min(kTile, dims[1] - j0);
      for (int64_t i = i0; i < i1; ++i)
        move_row<kStore, T>(flat + (i * dims[1] + j0) * static_cast<int64_t>(sizeof(T)),
                            strided + i * strides[0] + j0 * strides[1], strides[1], n);
    }
  }
}

// Between contiguous memory and axes first .. of a part.
template <bool kStore, class T>
void move(char* flat, char* strided, const Part& part, int first) {
  const int left = part.ndim - first;
  const int64_t *dims = part.dims + first, *strides = part.strides + first;
  constexpr int64_t kSize = sizeof(T);
  if (left == 0) return move_row<kStore, T>(flat, strided, 0, 1);
  if (left == 1) {
    if (strides[0] == kSize) {
      kStore ? std::memcpy(strided, flat, static_cast<size_t>(dims[0] * kSize))
             : std::memcpy(flat, strided, static_cast<size_t>(dims[0] * kSize));
    } else {
      move_row<kStore, T>(flat, strided, strides[0], dims[0]);
    }
    return;
  }
  // Neighbours along the outer axis are close together: the plane is walked in tiles.
  if (left == 2 && std::abs(strides[0]) < std::abs(strides[1]) && dims[0] > 1)
    return move_plane<kStore, T>(flat, strided, dims, strides);
  int64_t step = kSize;
  for (int d = 1; d < left; ++d) step *= dims[d];
  for (int64_t i = 0; i < dims[0]; ++i)
    move<kStore, T>(flat + i * step, strided + i * strides[0], part, first + 1);
}

template <bool kStore>
void move_any(char* flat, char* strided, const Part& part, int itemsize) {
  switch (itemsize) {
    case 1: return move<kStore, uint8_t>(flat, strided, part, 0);
    case 2: return move<kStore, uint16_t>(flat, strided, part, 0);
    case 4: return move<kStore, uint32_t>(flat, strided, part, 0);
    case 8: return move<kStore, uint64_t>(flat, strided, part, 0);
    default: return move<kStore, Sixteen>(flat, strided, part, 0);
  }
}

// Merges axes that can be walked as one, the last ones first: the result has long rows.
Part merged(const Part& part) {
  Part result;
  result.start = part.start;
  int kept = 0;
  for (int d = 0; d < part.ndim; ++d) {
    if (part.dims[d] == 1) continue;
    if (kept && result.strides[kept - 1] == part.strides[d] * part.dims[d]) {
      result.dims[kept - 1] *= part.dims[d];
      result.strides[kept - 1] = part.strides[d];
    } else {
      result.dims[kept] = part.dims[d];
      result.strides[kept++] = part.strides[d];
    }
  }
  result.ndim = kept;
  return result;
}

int64_t elements(const Part& part) {
  int64_t size = 1;
  for (int d = 0; d < part.ndim; ++d) size *= part.dims[d];
  return size;
}

struct Copy {
  char* target;
  const Part& part;
  int itemsize;
  int64_t row_bytes, rows_per_task;

  static void task(void* context, int64_t index) {
    const Copy& copy = *static_cast<const Copy*>(context);
    Part slab = copy.part;
    const int64_t first = index * copy.rows_per_task;
    slab.dims[0] = std::min(copy.rows_per_task, copy.part.dims[0] - first);
    move_any<false>(copy.target + first * copy.row_bytes,
                    const_cast<char*>(copy.part.start) + first * copy.part.strides[0], slab,
                    copy.itemsize);
  }
};

}  // namespace

Part whole(const Array* array) {
  Part part;
  part.start = array->data;
  part.ndim = array->ndim;
  int64_t stride = dtypes[array->code].itemsize;
  for (int d = array->ndim - 1; d >= 0; --d) {
    part.dims[d] = array->dims[d];
    part.strides[d] = array->strides ? array->strides[d] : stride;
    stride *= array->dims[d];
  }
  return part;
}

void copy_part(char* target, const Part& part, int itemsize) {
  const int64_t bytes = elements(part) * itemsize;
  if (bytes == 0) return;
  Part rows = merged(part);
  if (bytes < kThreaded || rows.ndim == 0)
    return move_any<false>(target, const_cast<char*>(rows.start), rows, itemsize);
  const int64_t row_bytes = bytes / rows.dims[0];
  Copy copy{target, rows, itemsize, row_bytes,
            std::max<int64_t>(kTile, kTaskBytes / row_bytes / kTile * kTile)};
  threads::parallel_for(Copy::task, &copy,
                        (rows.dims[0] + copy.rows_per_task - 1) / copy.rows_per_task);
}

void fill_part(const Part& part, const char* source, int itemsize) {
  if (elements(part) == 0) return;
  const Part rows = merged(part);
  move_any<true>(const_cast<char*>(source), const_cast<char*>(rows.start), rows, itemsize);
}

PyObject* array_of_part(const Array* array, const Part& part) {
  const int itemsize = dtypes[array->code].itemsize;
  int64_t bytes = itemsize;
  bool contiguous = true;
  for (int d = part.ndim - 1; d >= 0; --d) {
    contiguous &= part.dims[d] == 1 || part.strides[d] == bytes;
    bytes *= part.dims[d];
  }
  char* start = const_cast<char*>(part.start);
  if (bytes >= kShared) {
    Array* result = array_share(array->buffer, start, array->code, array->weak, part.ndim,
                                part.dims);
    if (result && !contiguous && !array_set_strides(result, part.strides)) Py_CLEAR(result);
    return as_object(result);
  }
  Array* result = array_new(array->code, array->weak, part.ndim, part.dims);
  if (!result || bytes == 0) return as_object(result);
  if (contiguous) {
    std::memcpy(result->data, start, static_cast<size_t>(bytes));
  } else {
    copy_part(result->data, part, itemsize);
  }
  return as_object(result);
}

bool array_gather(Array* array) {
  const Part part = whole(array);
  Buffer* buffer = buffer_new(static_cast<size_t>(array->nbytes()));
  if (!buffer) return false;
  copy_part(buffer->data, part, dtypes[array->code].itemsize);
  PyMem_Free(std::exchange(array->strides, nullptr));
  array->data = buffer->data;
  Py_DECREF(as_object(std::exchange(array->buffer, buffer)));
  return true;
}

}  // namespace vires

// Parts of arrays that are walked with strides, and arrays that are such parts until somebody reads
// them.
#pragma once

#include "array.h"

namespace vires {

// A strided part of an array's memory.
struct Part {
  const char* start = nullptr;
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

// All of an array; what it holds need not be contiguous.
Part whole(const Array* array);

// The part as an array of its own. Large parts share the memory: contiguous ones as they are,
// others are copied when they are first read. Small ones are copied, so that they do not keep a
// large array alive.
PyObject* array_of_part(const Array* array, const Part& part);

// Copies a part to contiguous memory, on all threads when it is large.
void copy_part(char* target, const Part& part, int itemsize);
// Copies contiguous memory to a part.
void fill_part(const Part& part, const char* source, int itemsize);

}  // namespace vires

// What an index with arrays selects: the elements of an array by their places in memory.
#pragma once

#include <vector>

#include "strided.h"

namespace vires {

// The axes of the result are those of `before`, of the index arrays, and of `after`; an element lies
// at start + its place in `before` + offsets[place in the index arrays] + its place in `after`.
struct Selection {
  Part before, after;
  int ndim = 0;           // of the index arrays, broadcast
  int64_t dims[kMaxDims];
  std::vector<int64_t> offsets;  // bytes

  // The shape of the result; the number of its axes, or -1 for too many.
  int shape(int64_t* result) const;
};

// 1: done; 0: not for us, which includes indices that are out of bounds; -1: exception.
int select_elements(Array* array, PyObject* index, Selection* selection);

// The selected elements as a new array.
PyObject* gather(const Array* array, const Selection& selection);

// Axis by axis, one axis of the basic kind: an exact int, a slice of exact ints. 1, 0 or -1.
int basic_entry(const Array* array, PyObject* entry, int axis, int64_t stride, Part* part);
// The part that an index without arrays selects; 1, 0 or -1 as above.
int basic_part(const Array* array, PyObject* index, Part* part);

}  // namespace vires

// The sorted order of a dict's keys, remembered: sorting strings on each call would cost more than
// the call.
#pragma once

#include <cstdint>
#include <vector>

#include "common.h"

namespace vires {

struct KeyOrder {
  std::vector<PyObject*> keys;    // in insertion order; owned
  std::vector<uint32_t> sorted;   // sorted[i]: place of the i-th smallest key
  uint64_t hash = 0;
  uint64_t identity = 0;          // equal for equal sets of keys
};

// The order of these keys, valid until the next call. Null: with a Python exception, or without
// one when the keys cannot be compared with each other.
const KeyOrder* key_order(PyObject* const* keys, size_t count);

}  // namespace vires

// The memory behind arrays, as a (private) Python object: its reference count counts the arrays,
// NumPy views and DLPack capsules that look at it. All functions need the GIL.
#pragma once

#include "common.h"

namespace vires {

enum class Storage : uint8_t {
  kSmall,     // the data follow in the same block
  kPooled,    // a block of the pool
  kBorrowed,  // `owner` keeps the memory
};

struct Buffer {
  PyObject_HEAD
  char* data;
  size_t capacity;
  PyObject* owner;
  Storage storage;
  uint8_t size_class;  // of small storage
};

bool buffer_ready();
bool is_buffer(PyObject* object);
// Uninitialised memory; null with MemoryError.
Buffer* buffer_new(size_t bytes);
// Somebody else's memory, kept alive by `owner`.
Buffer* buffer_borrow(char* data, size_t bytes, PyObject* owner);

}  // namespace vires

#include "buffer.h"

#include <cstdlib>

#include "pool.h"

namespace vires {
namespace {

constexpr size_t kHeader = 64;
constexpr size_t kSmallBlock = kHeader + kSmallBytes;
constexpr int kFreeLimit = 1024;
static_assert(sizeof(Buffer) <= kHeader);

struct FreeBlock {
  FreeBlock* next;
};
FreeBlock* free_blocks = nullptr;  // guarded by the GIL
int free_count = 0;

void dealloc(PyObject* self) {
  Buffer* buffer = reinterpret_cast<Buffer*>(self);
  if (buffer->storage == Storage::kSmall) {
    if (free_count < kFreeLimit) {
      FreeBlock* block = reinterpret_cast<FreeBlock*>(self);
      block->next = free_blocks;
      free_blocks = block;
      ++free_count;
    } else {
      std::free(self);
    }
    return;
  }
  if (buffer->storage == Storage::kPooled) {
    pool::release(buffer->data, buffer->capacity);
  } else {
    Py_XDECREF(buffer->owner);
  }
  PyObject_Free(self);
}

PyTypeObject buffer_type = {PyVarObject_HEAD_INIT(nullptr, 0)};

Buffer* small_buffer() {
  void* block = free_blocks;
  if (block) {
    free_blocks = free_blocks->next;
    --free_count;
  } else if (!(block = std::aligned_alloc(64, kSmallBlock))) {
    PyErr_NoMemory();
    return nullptr;
  }
  Buffer* buffer = static_cast<Buffer*>(block);
  PyObject_Init(static_cast<PyObject*>(block), &buffer_type);
  buffer->data = static_cast<char*>(block) + kHeader;
  buffer->capacity = kSmallBytes;
  buffer->owner = nullptr;
  buffer->storage = Storage::kSmall;
  return buffer;
}

}  // namespace

bool buffer_ready() {
  buffer_type.tp_name = "vires._native.Buffer";
  buffer_type.tp_basicsize = sizeof(Buffer);
  buffer_type.tp_dealloc = dealloc;
  buffer_type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  return PyType_Ready(&buffer_type) == 0;
}

Buffer* buffer_new(size_t bytes) {
  if (bytes <= kSmallBytes) return small_buffer();
  Buffer* buffer = PyObject_New(Buffer, &buffer_type);
  if (!buffer) return nullptr;
  buffer->data = static_cast<char*>(pool::allocate(bytes));
  buffer->capacity = bytes;
  buffer->owner = nullptr;
  buffer->storage = Storage::kPooled;
  if (!buffer->data) {
    PyObject_Free(buffer);
    const pool::Stats stats = pool::stats();
    PyErr_Format(PyExc_MemoryError,
                 "Array: cannot allocate %zu bytes (%lld bytes are in use by arrays)", bytes,
                 static_cast<long long>(stats.live));
    return nullptr;
  }
  return buffer;
}

Buffer* buffer_borrow(char* data, size_t bytes, PyObject* owner) {
  Buffer* buffer = PyObject_New(Buffer, &buffer_type);
  if (!buffer) return nullptr;
  buffer->data = data;
  buffer->capacity = bytes;
  buffer->owner = Py_NewRef(owner);
  buffer->storage = Storage::kBorrowed;
  return buffer;
}

}  // namespace vires

#include "buffer.h"

#include <cstdlib>

#include "pool.h"

namespace vires {
namespace {

PyTypeObject buffer_type = {PyVarObject_HEAD_INIT(nullptr, 0)};

constexpr size_t kHeader = 64;
static_assert(sizeof(Buffer) <= kHeader);

// Small data live in the buffer object's own block; free blocks are kept in lists, which the GIL
// guards: taking one costs less than the pool's lock.
struct FreeBlock {
  FreeBlock* next;
};
struct SmallBlocks {
  size_t capacity;
  int limit;  // blocks that are kept
  int count = 0;
  FreeBlock* first = nullptr;
};
SmallBlocks small_blocks[] = {{128, 1024}, {448, 256}, {960, 256}, {1984, 128}};
constexpr size_t kSmallBytes = 1984;

Buffer* small_buffer(size_t bytes) {
  uint8_t size_class = 0;
  while (small_blocks[size_class].capacity < bytes) ++size_class;
  SmallBlocks& blocks = small_blocks[size_class];
  void* block = blocks.first;
  if (block) {
    blocks.first = blocks.first->next;
    --blocks.count;
  } else if (!(block = std::aligned_alloc(64, kHeader + blocks.capacity))) {
    PyErr_NoMemory();
    return nullptr;
  }
  Buffer* buffer = static_cast<Buffer*>(block);
  PyObject_Init(static_cast<PyObject*>(block), &buffer_type);
  buffer->data = static_cast<char*>(block) + kHeader;
  buffer->capacity = blocks.capacity;
  buffer->owner = nullptr;
  buffer->storage = Storage::kSmall;
  buffer->size_class = size_class;
  return buffer;
}

void release_small(Buffer* buffer) {
  SmallBlocks& blocks = small_blocks[buffer->size_class];
  if (blocks.count == blocks.limit) {
    std::free(buffer);
    return;
  }
  FreeBlock* block = reinterpret_cast<FreeBlock*>(buffer);
  block->next = std::exchange(blocks.first, block);
  ++blocks.count;
}

void dealloc(PyObject* self) {
  Buffer* buffer = reinterpret_cast<Buffer*>(self);
  if (buffer->storage == Storage::kSmall) return release_small(buffer);
  if (buffer->storage == Storage::kPooled) {
    pool::release(buffer->data, buffer->capacity);
  } else {
    Py_XDECREF(buffer->owner);
  }
  PyObject_Free(self);
}

}  // namespace

bool buffer_ready() {
  buffer_type.tp_name = "vires._native.Buffer";
  buffer_type.tp_basicsize = sizeof(Buffer);
  buffer_type.tp_dealloc = dealloc;
  buffer_type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  return PyType_Ready(&buffer_type) == 0;
}

bool is_buffer(PyObject* object) { return Py_TYPE(object) == &buffer_type; }

Buffer* buffer_new(size_t bytes) {
  if (bytes <= kSmallBytes) return small_buffer(bytes);
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

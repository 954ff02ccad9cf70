// vires.Array: an immutable array over a shared buffer, row-major and contiguous for all who ask
// `array_check` before they read its memory.
#pragma once

#include "buffer.h"
#include "dtype.h"

namespace vires {

constexpr int kInlineDims = 4;
constexpr int kMaxDims = 64;

struct Array {
  PyObject_HEAD
  PyObject* weakrefs;
  PyObject* aval;   // made on demand
  Buffer* buffer;   // null once deleted
  char* data;
  int64_t size;     // elements
  int64_t* dims;    // inline_dims, or memory of its own beyond kInlineDims
  int64_t* strides; // in bytes; null when contiguous. Others are gathered by the first who reads
  uint8_t code;
  uint8_t weak;
  uint8_t ndim;
  int64_t inline_dims[kInlineDims];

  int64_t nbytes() const { return size * dtypes[code].itemsize; }
};

extern PyTypeObject* array_type;

inline bool is_array(PyObject* object) { return Py_TYPE(object) == array_type; }
inline Array* as_array(PyObject* object) { return reinterpret_cast<Array*>(object); }
inline PyObject* as_object(void* array) { return static_cast<PyObject*>(array); }

bool array_ready(PyObject* module);

// A new array with uninitialised data; null with an exception.
Array* array_new(int code, bool weak, int ndim, const int64_t* dims);
// A new array that looks at `data` inside `buffer` (a reference to it is taken).
Array* array_share(Buffer* buffer, char* data, int code, bool weak, int ndim, const int64_t* dims);

// False, with a RuntimeError that names the array, when it was deleted or donated. A part that is
// not contiguous (see strided.h) is gathered into memory of its own.
bool array_check(Array* array);
// As array_check, but leaves the array as it is: for what walks strides.
bool array_alive(const Array* array);
void array_delete(Array* array);
// Makes a fresh array a part that is not contiguous, with these strides.
bool array_set_strides(Array* array, const int64_t* strides);
// Copies what the strides select into memory of its own; false with an exception.
bool array_gather(Array* array);

PyObject* shape_tuple(const Array* array);
// "float32[3,4]", for messages.
Owned array_label(const Array* array);

// Reads a shape: a sequence of non-negative ints. Returns the number of axes, or -1.
int parse_shape(PyObject* shape, int64_t* dims);

// Zero-copy, read-only ndarray (keys as uint64).
PyObject* array_numpy(Array* array);
// An Array made from an ndarray: by copy, or sharing its memory when `share`.
PyObject* array_from_ndarray(PyObject* ndarray, int code, bool weak, bool share);
// A 0-d array of a Python number. Null without an exception: an int that does not fit.
PyObject* array_from_scalar(PyObject* value, int code, bool weak);

// The cached aval, made by the registered factory.
PyObject* array_aval(Array* array);
// Takes a reference (null: none) and gives back the one before it.
PyObject* set_aval_factory(PyObject* factory);
void set_array_text(PyObject* repr, PyObject* str);

// Slots and methods that other files supply to the type.
extern PyMethodDef array_conversion_methods[];
extern PyMethodDef array_dlpack_methods[];
extern PyType_Slot array_operator_slots[];
int array_getbuffer(PyObject* self, Py_buffer* view, int flags);
void array_releasebuffer(PyObject* self, Py_buffer* view);
PyObject* array_int(PyObject* self);
PyObject* array_float(PyObject* self);
PyObject* array_index(PyObject* self);
int array_bool(PyObject* self);

}  // namespace vires

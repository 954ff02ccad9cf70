// The registry of element types: a small code <-> the Python object that users see.
#pragma once

#include "numpy.h"

namespace vires {

enum Code : int {
  kBool = 0,
  kInt8, kInt16, kInt32, kInt64,
  kUInt8, kUInt16, kUInt32, kUInt64,
  kFloat16, kBFloat16, kFloat32, kFloat64,
  kComplex64, kComplex128,
  kKey,
  kFirstSmall,  // 16 and up: float8 formats, int4, uint4, float4, int2, uint2
  kMaxCodes = 64,
};

struct DType {
  PyObject* object = nullptr;       // what Array.dtype returns
  PyArray_Descr* descr = nullptr;   // how NumPy sees the bytes (keys: uint64)
  int itemsize = 0;
  bool integer = false;             // whole numbers, int4 and its kin too
  int lowest = 0, highest = 0;      // of int4 and its kin
};

extern DType dtypes[kMaxCodes];

inline bool is_integer(int code) { return code >= kInt8 && code <= kUInt64; }

// Registers `object` under `code`; false with a Python exception when it cannot.
bool register_dtype(int code, PyObject* object, int itemsize);

// The code of a registered dtype object (or of what np.dtype() makes of it); -1 with TypeError.
int code_of(PyObject* dtype_object);

// The code of NumPy's arrays of this type number; -1, without an exception, when there is none.
int code_of_type_number(int type_number);

// True when `code` is registered; else sets TypeError.
bool check_code(int code);

// Writes a Python number as one element of type `code`. 1: done; 0: an int that does not fit;
// -1: Python exception.
int write_scalar(PyObject* value, int code, char* out);

// One element as a Python bool, int, float or complex; null with an exception.
PyObject* read_scalar(const char* data, int code);

// A name such as "float32" for messages.
Owned dtype_name(int code);

}  // namespace vires

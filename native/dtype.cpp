#include "dtype.h"

#include <cstdlib>
#include <cstring>
#include <limits>

namespace vires {

DType dtypes[kMaxCodes];

namespace {

PyObject* codes_by_object = nullptr;  // dict: dtype object -> code

constexpr int kTypeNumbers = 512;
int8_t codes_by_type_number[kTypeNumbers];  // code + 1

template <class T>
int write_integer(PyObject* value, char* out) {
  T result;
  if constexpr (std::numeric_limits<T>::is_signed) {
    int overflow = 0;
    const long long wide = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (wide == -1 && !overflow && PyErr_Occurred()) return -1;
    if (overflow || wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max())
      return 0;
    result = static_cast<T>(wide);
  } else {
    const unsigned long long wide = PyLong_AsUnsignedLongLong(value);
    if (wide == static_cast<unsigned long long>(-1) && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
      PyErr_Clear();
      return 0;
    }
    if (wide > std::numeric_limits<T>::max()) return 0;
    result = static_cast<T>(wide);
  }
  std::memcpy(out, &result, sizeof result);
  return 1;
}

int write_any_integer(PyObject* value, int code, char* out) {
  switch (code) {
    case kInt8: return write_integer<int8_t>(value, out);
    case kInt16: return write_integer<int16_t>(value, out);
    case kInt32: return write_integer<int32_t>(value, out);
    case kInt64: return write_integer<int64_t>(value, out);
    case kUInt8: return write_integer<uint8_t>(value, out);
    case kUInt16: return write_integer<uint16_t>(value, out);
    case kUInt32: return write_integer<uint32_t>(value, out);
    default: return write_integer<uint64_t>(value, out);
  }
}

// Round to nearest, ties to even; nan keeps its sign and stays nan.
uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<uint16_t>((bits >> 16) | 0x0040);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

int write_real(double value, int code, char* out) {
  if (code == kFloat64) {
    std::memcpy(out, &value, 8);
  } else if (code == kFloat32) {
    const float narrow = static_cast<float>(value);
    std::memcpy(out, &narrow, 4);
  } else if (code == kFloat16) {
    const _Float16 half = static_cast<_Float16>(value);
    std::memcpy(out, &half, 2);
  } else {
    const uint16_t bits = to_bfloat16(static_cast<float>(value));
    std::memcpy(out, &bits, 2);
  }
  return 1;
}

template <class T>
T load(const char* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

}  // namespace

bool check_code(int code) {
  if (code >= 0 && code < kMaxCodes && dtypes[code].object) return true;
  PyErr_Format(PyExc_TypeError, "dtype: needs a registered code; got %d", code);
  return false;
}

bool register_dtype(int code, PyObject* object, int itemsize) {
  if (code < 0 || code >= kMaxCodes || itemsize < 1 || itemsize > 16) {
    PyErr_Format(PyExc_ValueError,
                 "register_dtype: needs 0 <= code < %d and 1 <= itemsize <= 16; got %d and %d",
                 kMaxCodes, code, itemsize);
    return false;
  }
  PyArray_Descr* descr = nullptr;
  if (PyArray_DescrCheck(object)) {
    descr = reinterpret_cast<PyArray_Descr*>(Py_NewRef(object));
    if (PyDataType_ELSIZE(descr) != itemsize) {
      PyErr_Format(PyExc_ValueError, "register_dtype: %R has %zd bytes an element; got %d", object,
                   PyDataType_ELSIZE(descr), itemsize);
      Py_DECREF(descr);
      return false;
    }
  } else if (itemsize == 8) {
    descr = PyArray_DescrFromType(NPY_UINT64);
  } else {
    PyErr_Format(PyExc_ValueError, "register_dtype: an opaque dtype needs 8 bytes; got %d",
                 itemsize);
    return false;
  }
  if (!codes_by_object && !(codes_by_object = PyDict_New())) return false;
  const Owned number(PyLong_FromLong(code));
  if (!number || PyDict_SetItem(codes_by_object, object, number.get()) < 0) return false;
  const int type_number = descr->type_num;
  if (PyArray_DescrCheck(object) && type_number >= 0 && type_number < kTypeNumbers)
    codes_by_type_number[type_number] = static_cast<int8_t>(code + 1);
  DType& entry = dtypes[code];
  PyObject* old_object = entry.object;
  PyArray_Descr* old_descr = entry.descr;
  entry = {Py_NewRef(object), descr, itemsize, is_integer(code)};
  Py_XDECREF(old_object);
  Py_XDECREF(old_descr);
  if (code >= kFirstSmall) {
    const Owned name = dtype_name(code);
    const char* text = name ? PyUnicode_AsUTF8(name.get()) : nullptr;
    if (!text) return false;
    const char* digits = std::strstr(text, "int");
    entry.integer = digits != nullptr;
    if (digits) {
      const bool has_sign = digits == text;
      const int values = 1 << std::atoi(digits + 3);
      entry.lowest = has_sign ? -values / 2 : 0;
      entry.highest = entry.lowest + values - 1;
    }
  }
  return true;
}

int code_of(PyObject* object) {
  if (codes_by_object && PyArray_DescrCheck(object)) {
    PyObject* found = PyDict_GetItemWithError(codes_by_object, object);
    if (found) return static_cast<int>(PyLong_AsLong(found));
    if (PyErr_Occurred()) return -1;
  } else if (codes_by_object) {
    for (int code = 0; code < kMaxCodes; ++code)
      if (dtypes[code].object == object) return code;
  }
  PyArray_Descr* descr = nullptr;
  if (object != Py_None && !PyArray_DescrCheck(object)) {
    if (!PyArray_DescrConverter(object, &descr)) return -1;
    const Owned held(reinterpret_cast<PyObject*>(descr));
    return code_of(held.get());
  }
  PyErr_Format(PyExc_TypeError,
               "dtype: needs a bool, integer, floating or complex type that arrays can hold; "
               "got %R", object);
  return -1;
}

int code_of_type_number(int type_number) {
  if (type_number < 0 || type_number >= kTypeNumbers) return -1;
  return codes_by_type_number[type_number] - 1;
}

Owned dtype_name(int code) {
  PyObject* object = dtypes[code].object;
  Owned name(object ? PyObject_GetAttrString(object, "name") : nullptr);
  if (name && PyUnicode_Check(name.get())) return name;
  PyErr_Clear();
  return Owned(object ? PyObject_Str(object) : PyUnicode_FromString("?"));
}

int write_scalar(PyObject* value, int code, char* out) {
  if (code == kBool) {
    const int truth = PyObject_IsTrue(value);
    if (truth < 0) return -1;
    *out = static_cast<char>(truth);
    return 1;
  }
  if (is_integer(code) && PyLong_Check(value)) return write_any_integer(value, code, out);
  if (code >= kFloat16 && code <= kFloat64 && !PyComplex_Check(value)) {
    const double real = PyFloat_AsDouble(value);
    if (real == -1.0 && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
      PyErr_Clear();
      return 0;
    }
    return write_real(real, code, out);
  }
  if (code == kComplex64 || code == kComplex128) {
    const Py_complex number = PyComplex_AsCComplex(value);
    if (number.real == -1.0 && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
      PyErr_Clear();
      return 0;
    }
    const int half = code == kComplex64 ? kFloat32 : kFloat64;
    write_real(number.real, half, out);
    return write_real(number.imag, half, out + (code == kComplex64 ? 4 : 8));
  }
  if (dtypes[code].integer && PyLong_Check(value)) {
    int overflow = 0;
    const long number = PyLong_AsLongAndOverflow(value, &overflow);
    if (number == -1 && PyErr_Occurred()) return -1;
    if (overflow || number < dtypes[code].lowest || number > dtypes[code].highest) return 0;
  }
  return PyArray_Pack(dtypes[code].descr, out, value) < 0 ? -1 : 1;
}

PyObject* read_scalar(const char* data, int code) {
  switch (code) {
    case kBool: return PyBool_FromLong(*data);
    case kInt8: return PyLong_FromLong(load<int8_t>(data));
    case kInt16: return PyLong_FromLong(load<int16_t>(data));
    case kInt32: return PyLong_FromLong(load<int32_t>(data));
    case kInt64: return PyLong_FromLongLong(load<int64_t>(data));
    case kUInt8: return PyLong_FromLong(load<uint8_t>(data));
    case kUInt16: return PyLong_FromLong(load<uint16_t>(data));
    case kUInt32: return PyLong_FromUnsignedLong(load<uint32_t>(data));
    case kUInt64: return PyLong_FromUnsignedLongLong(load<uint64_t>(data));
    case kFloat16: return PyFloat_FromDouble(static_cast<double>(load<_Float16>(data)));
    case kBFloat16: {
      const uint32_t bits = static_cast<uint32_t>(load<uint16_t>(data)) << 16;
      return PyFloat_FromDouble(load<float>(reinterpret_cast<const char*>(&bits)));
    }
    case kFloat32: return PyFloat_FromDouble(load<float>(data));
    case kFloat64: return PyFloat_FromDouble(load<double>(data));
    case kComplex64: return PyComplex_FromDoubles(load<float>(data), load<float>(data + 4));
    case kComplex128: return PyComplex_FromDoubles(load<double>(data), load<double>(data + 8));
    case kKey:
      PyErr_SetString(PyExc_TypeError,
                      "Array: a random key is opaque and is not a number; use random.key_data");
      return nullptr;
    default: break;
  }
  PyArray_Descr* descr = dtypes[code].descr;
  const Owned scalar(PyArray_Scalar(const_cast<char*>(data), descr, nullptr));
  if (!scalar) return nullptr;
  return dtypes[code].integer ? PyNumber_Long(scalar.get()) : PyNumber_Float(scalar.get());
}

}  // namespace vires

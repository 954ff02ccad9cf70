#include "fortran.h"

#include <utility>

#include "numpy.h"

namespace vires {
namespace {

constexpr size_t kMost = 32;           // arguments; a routine ignores those behind its own
constexpr npy_intp kHeavy = 64 * 1024;  // bytes of an array that is worth letting others run

template <size_t... I>
void call(void* address, const uintptr_t* words, std::index_sequence<I...>) {
  using Routine = void (*)(decltype(static_cast<void>(I), uintptr_t{})...);
  reinterpret_cast<Routine>(address)(words[I]...);
}

}  // namespace

PyObject* call_fortran(PyObject*, PyObject* const* args, Py_ssize_t count) {
  uintptr_t words[kMost] = {};
  int32_t integers[kMost];
  int32_t info = 0;
  size_t letters = 0, used = 0;
  bool heavy = false;
  if (count < 1 || static_cast<size_t>(count) > kMost / 2 + 8) {
    PyErr_Format(PyExc_TypeError, "call_fortran: needs an address and fewer than %zu arguments",
                 kMost / 2 + 8);
    return nullptr;
  }
  void* address = PyLong_AsVoidPtr(args[0]);
  if (!address) return PyErr_Occurred() ? nullptr : PyErr_Format(PyExc_ValueError, "address 0");
  for (Py_ssize_t i = 1; i < count; ++i) {
    PyObject* object = args[i];
    if (PyArray_Check(object)) {
      auto* array = reinterpret_cast<PyArrayObject*>(object);
      heavy |= PyArray_NBYTES(array) >= kHeavy;
      words[used++] = reinterpret_cast<uintptr_t>(PyArray_DATA(array));
    } else if (PyUnicode_Check(object)) {
      const char* text = PyUnicode_AsUTF8(object);
      if (!text) return nullptr;
      ++letters;
      words[used++] = reinterpret_cast<uintptr_t>(text);
    } else {
      const long value = PyLong_AsLong(object);
      if (value == -1 && PyErr_Occurred()) return nullptr;
      integers[used] = static_cast<int32_t>(value);
      words[used] = reinterpret_cast<uintptr_t>(&integers[used]);
      ++used;
    }
  }
  words[used++] = reinterpret_cast<uintptr_t>(&info);
  if (used + letters > kMost) {
    PyErr_SetString(PyExc_TypeError, "call_fortran: too many arguments");
    return nullptr;
  }
  for (size_t k = 0; k < letters; ++k) words[used++] = 1;  // the lengths of the strings
  PyThreadState* state = heavy ? PyEval_SaveThread() : nullptr;
  call(address, words, std::make_index_sequence<kMost>());
  if (state) PyEval_RestoreThread(state);
  return PyLong_FromLong(info);
}

}  // namespace vires

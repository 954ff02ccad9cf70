#include "fortran.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "numpy.h"
#include "threads.h"

namespace vires {
namespace {

constexpr size_t kMost = 32;           // arguments; a routine ignores those behind its own
constexpr npy_intp kHeavy = 64 * 1024;  // bytes of an array that is worth letting others run
constexpr size_t kPieces = 64;         // what a stack is divided into, for all threads
constexpr std::chrono::milliseconds kLook(50);  // between looks for signals

template <size_t... I>
void call(void* address, const uintptr_t* words, std::index_sequence<I...>) {
  using Routine = void (*)(decltype(static_cast<void>(I), uintptr_t{})...);
  reinterpret_cast<Routine>(address)(words[I]...);
}

// What a call hands over, made of Python's arguments.
struct Call {
  void* address = nullptr;
  uintptr_t words[kMost] = {};
  uintptr_t steps[kMost] = {};   // bytes between what successive calls take
  size_t shared[kMost] = {};     // bytes of arrays that are the same for all calls
  int32_t integers[kMost];
  int32_t info = 0;
  size_t info_at = 0;
  bool heavy = false;

  // Whether the arguments could be read; for `count` calls, an array in a tuple is a stack.
  bool read(PyObject* const* args, Py_ssize_t number, size_t count) {
    size_t letters = 0, used = 0;
    if (number < 1 || static_cast<size_t>(number) > kMost / 2 + 8) {
      PyErr_Format(PyExc_TypeError, "call_fortran: needs an address and fewer than %zu arguments",
                   kMost / 2 + 8);
      return false;
    }
    address = PyLong_AsVoidPtr(args[0]);
    if (!address) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "address 0");
      return false;
    }
    for (Py_ssize_t i = 1; i < number; ++i) {
      PyObject* object = args[i];
      const bool stack = PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 1;
      if (stack) object = PyTuple_GET_ITEM(object, 0);
      if (PyArray_Check(object)) {
        auto* array = reinterpret_cast<PyArrayObject*>(object);
        if (stack && !PyArray_IS_C_CONTIGUOUS(array)) {
          PyErr_SetString(PyExc_ValueError, "call_fortran_stack: needs stacks without gaps");
          return false;
        }
        heavy |= PyArray_NBYTES(array) >= kHeavy;
        const auto bytes = static_cast<size_t>(PyArray_NBYTES(array));
        (stack ? steps[used] : shared[used]) = stack ? bytes / count : bytes;
        words[used++] = reinterpret_cast<uintptr_t>(PyArray_DATA(array));
      } else if (PyUnicode_Check(object)) {
        const char* text = PyUnicode_AsUTF8(object);
        if (!text) return false;
        ++letters;
        words[used++] = reinterpret_cast<uintptr_t>(text);
      } else {
        const long value = PyLong_AsLong(object);
        if (value == -1 && PyErr_Occurred()) return false;
        integers[used] = static_cast<int32_t>(value);
        words[used] = reinterpret_cast<uintptr_t>(&integers[used]);
        ++used;
      }
    }
    info_at = used;
    words[used++] = reinterpret_cast<uintptr_t>(&info);
    if (used + letters > kMost) {
      PyErr_SetString(PyExc_TypeError, "call_fortran: too many arguments");
      return false;
    }
    for (size_t k = 0; k < letters; ++k) words[used++] = 1;  // the lengths of the strings
    return true;
  }

  void run() { call(address, words, std::make_index_sequence<kMost>()); }
};

// Looks for signals between the pieces of a stack, on the thread that called.
struct Watch {
  PyThreadState* state;
  int64_t last = 0;
  volatile int32_t stop = 0;

  static void attend(void* context) {
    auto& watch = *static_cast<Watch*>(context);
    const auto now = std::chrono::steady_clock::now().time_since_epoch() / kLook;
    if (watch.stop || std::exchange(watch.last, now) == now) return;
    PyEval_RestoreThread(watch.state);
    watch.stop = PyErr_CheckSignals() != 0;
    watch.state = PyEval_SaveThread();
  }
};

// The calls of a stack, a piece of them a task. Each has the arrays that all share to itself.
struct Stack {
  const Call& call;
  size_t count, each;

  static void task(void* context, int64_t index) {
    const auto& stack = *static_cast<const Stack*>(context);
    const size_t first = static_cast<size_t>(index) * stack.each;
    Call own = stack.call;
    std::unique_ptr<char[]> memory[kMost];
    for (size_t i = 0; i <= own.info_at; ++i) {
      own.words[i] += first * own.steps[i];
      if (!own.shared[i]) continue;
      memory[i].reset(new char[own.shared[i]]);
      std::memcpy(memory[i].get(), reinterpret_cast<const void*>(own.words[i]), own.shared[i]);
      own.words[i] = reinterpret_cast<uintptr_t>(memory[i].get());
    }
    for (size_t k = first; k < std::min(stack.count, first + stack.each); ++k) {
      own.run();
      for (size_t i = 0; i <= own.info_at; ++i) own.words[i] += own.steps[i];
    }
  }
};

}  // namespace

PyObject* call_fortran(PyObject*, PyObject* const* args, Py_ssize_t number) {
  Call call;
  if (!call.read(args, number, 1)) return nullptr;
  PyThreadState* state = call.heavy ? PyEval_SaveThread() : nullptr;
  call.run();
  if (state) PyEval_RestoreThread(state);
  return PyLong_FromLong(call.info);
}

PyObject* call_fortran_stack(PyObject*, PyObject* const* args, Py_ssize_t number) {
  Call call;
  if (number < 1 || !PyArray_Check(args[0]) ||
      PyArray_TYPE(reinterpret_cast<PyArrayObject*>(args[0])) != NPY_INT32) {
    PyErr_SetString(PyExc_TypeError, "call_fortran_stack: needs an int32 array of infos");
    return nullptr;
  }
  auto* infos = reinterpret_cast<PyArrayObject*>(args[0]);
  const auto count = static_cast<size_t>(PyArray_SIZE(infos));
  if (!count) Py_RETURN_NONE;
  if (!call.read(args + 1, number - 1, count)) return nullptr;
  call.words[call.info_at] = reinterpret_cast<uintptr_t>(PyArray_DATA(infos));
  call.steps[call.info_at] = sizeof(int32_t);
  Watch watch{PyEval_SaveThread()};
  Stack stack{call, count, (count + kPieces - 1) / kPieces};
  threads::parallel_for(Stack::task, &stack, static_cast<int64_t>((count - 1) / stack.each + 1),
                        {Watch::attend, &watch, &watch.stop});
  PyEval_RestoreThread(watch.state);
  if (watch.stop) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace vires

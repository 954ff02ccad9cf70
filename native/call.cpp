#include "call.h"

#include <time.h>

#include "pool.h"
#include "threads.h"

namespace vires {
namespace {

constexpr int64_t kPollInterval = 50'000'000;  // nanoseconds

int64_t coarse_now() {
#ifdef CLOCK_MONOTONIC_COARSE
  constexpr clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
  constexpr clockid_t clock = CLOCK_MONOTONIC;
#endif
  timespec time;
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

PyObject* raised_exception() {
#if PY_VERSION_HEX >= 0x030C0000
  return PyErr_GetRaisedException();
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
#endif
}

}  // namespace

struct alignas(64) Call::Block {
  Block* next;
  size_t bytes;
};

Call::Call(const HostFunction* functions, int64_t function_count)
    : functions_(functions), function_count_(function_count), caller_(pthread_self()) {
  parallel_for = on_parallel_for;
  poll = on_poll;
  fail = on_fail;
  host = on_host;
  allocate = on_allocate;
  stop = 0;
}

Call::~Call() {
  Block* block = blocks_.load();
  while (block) {
    Block* next = block->next;
    pool::release(block, block->bytes);
    block = next;
  }
  Py_XDECREF(exception_);
}

void Call::keep_exception() {
  PyObject* raised = raised_exception();
  if (exception_) {
    Py_XDECREF(raised);
  } else {
    exception_ = raised;
  }
  stop = 1;
}

void Call::on_parallel_for(Runtime* runtime, void (*task)(void*, int64_t), void* context,
                           int64_t tasks) {
  Call* call = static_cast<Call*>(runtime);
  threads::Attendant attendant;
  attendant.attend = [](void* runtime) { on_poll(static_cast<Runtime*>(runtime)); };
  attendant.context = runtime;
  attendant.stop = &call->stop;
  threads::parallel_for(task, context, tasks, attendant);
}

int32_t Call::on_poll(Runtime* runtime) {
  Call* call = static_cast<Call*>(runtime);
  if (call->stop || !call->here()) return call->stop;
  const int64_t now = coarse_now();
  if (now - call->last_poll_ < kPollInterval) return 0;
  if (std::exchange(call->last_poll_, now) == 0) return 0;  // the first look starts the clock
  PyThreadState* saved = call->released_;
  if (saved) PyEval_RestoreThread(saved);
  if (PyErr_CheckSignals() != 0) call->keep_exception();
  if (saved) call->released_ = PyEval_SaveThread();
  return call->stop;
}

void Call::on_fail(Runtime* runtime, int64_t site, int64_t a, int64_t b) {
  Call* call = static_cast<Call*>(runtime);
  int expected = 0;
  if (call->failed_.compare_exchange_strong(expected, 1)) {
    call->site_ = site;
    call->a_ = a;
    call->b_ = b;
    call->failed_.store(2, std::memory_order_release);
  }
  call->stop = 1;
}

int32_t Call::on_host(Runtime* runtime, int64_t index, void** buffers) {
  Call* call = static_cast<Call*>(runtime);
  const bool mine = call->here();
  PyThreadState* saved = mine ? call->released_ : nullptr;
  PyGILState_STATE state{};
  if (saved) {
    PyEval_RestoreThread(saved);
    call->released_ = nullptr;
  } else if (!mine) {
    state = PyGILState_Ensure();
  }
  bool good = index >= 0 && index < call->function_count_;
  if (!good) {
    PyErr_Format(PyExc_IndexError, "host: needs a function number below %lld; got %lld",
                 static_cast<long long>(call->function_count_), static_cast<long long>(index));
  } else {
    const HostFunction& function = call->functions_[index];
    const Owned arguments(PyTuple_New(function.buffers));
    good = static_cast<bool>(arguments);
    for (int64_t i = 0; good && i < function.buffers; ++i) {
      PyObject* address = PyLong_FromVoidPtr(buffers[i]);
      good = address != nullptr;
      if (good) PyTuple_SET_ITEM(arguments.get(), i, address);
    }
    good = good && Owned(PyObject_CallObject(function.callable, arguments.get()));
  }
  if (!good) call->keep_exception();
  if (saved) {
    call->released_ = PyEval_SaveThread();
  } else if (!mine) {
    PyGILState_Release(state);
  }
  return good ? 0 : 1;
}

void* Call::on_allocate(Runtime* runtime, int64_t bytes) {
  Call* call = static_cast<Call*>(runtime);
  if (bytes < 0 || bytes > INT64_MAX / 8) return nullptr;
  const size_t whole = sizeof(Block) + static_cast<size_t>(bytes);
  Block* block = static_cast<Block*>(pool::allocate(whole));
  if (!block) return nullptr;
  block->bytes = whole;
  block->next = call->blocks_.load();
  while (!call->blocks_.compare_exchange_weak(block->next, block)) {
  }
  return block + 1;
}

}  // namespace vires

// One running call of an executable: the state behind the Runtime that compiled code sees.
#pragma once

#include <pthread.h>

#include <atomic>

#include "common.h"
#include "runtime.h"

namespace vires {

struct HostFunction {
  PyObject* callable;
  int64_t buffers;
};

class Call : public Runtime {
 public:
  Call(const HostFunction* functions, int64_t function_count);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Calls the code of a program, with the GIL released when `heavy`.
  template <class Code>
  int32_t run(const Code& code, bool heavy) {
    if (!heavy) return code(this);
    released_ = PyEval_SaveThread();
    const int32_t result = code(this);
    PyEval_RestoreThread(std::exchange(released_, nullptr));
    return result;
  }

  // Python exception of a signal handler or a host function; null when there was none.
  PyObject* take_exception() { return std::exchange(exception_, nullptr); }

  bool failed() const { return failed_.load(std::memory_order_acquire) == 2; }
  int64_t site() const { return site_; }
  int64_t a() const { return a_; }
  int64_t b() const { return b_; }

 private:
  struct Block;

  static void on_parallel_for(Runtime*, void (*)(void*, int64_t), void*, int64_t);
  static int32_t on_poll(Runtime*);
  static void on_fail(Runtime*, int64_t, int64_t, int64_t);
  static int32_t on_host(Runtime*, int64_t, void**);
  static void* on_allocate(Runtime*, int64_t);

  bool here() const { return pthread_equal(pthread_self(), caller_); }
  void keep_exception();

  const HostFunction* functions_;
  int64_t function_count_;
  pthread_t caller_;
  PyThreadState* released_ = nullptr;  // the caller's, while the GIL is released
  int64_t last_poll_ = 0;
  std::atomic<int> failed_{0};         // 1: being recorded, 2: recorded
  int64_t site_ = 0, a_ = 0, b_ = 0;
  PyObject* exception_ = nullptr;      // guarded by the GIL
  std::atomic<Block*> blocks_{nullptr};
};

}  // namespace vires

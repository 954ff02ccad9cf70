// A pool of threads that sleep when idle. Tasks are a fixed partition of the work whatever the
// number of threads, so which thread runs which task does not change results.
#pragma once

#include <cstdint>

namespace vires::threads {

using Task = void (*)(void* context, int64_t index);

// What the calling thread does after each of its tasks, and now and then while it waits.
struct Attendant {
  void (*attend)(void* context) = nullptr;
  void* context = nullptr;
  const volatile int32_t* stop = nullptr;  // nonzero: start no more tasks
};

// Runs task(context, i) for 0 <= i < tasks. Nested calls, and calls while another thread's job
// runs, run on the calling thread alone.
void parallel_for(Task task, void* context, int64_t tasks, const Attendant& attendant = {});

int count();
void set_count(int count);

// Registers the fork handlers; called once.
void initialise();

}  // namespace vires::threads

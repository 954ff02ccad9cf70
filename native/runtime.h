// What compiled code may ask for while it runs. Plain C: the order of the fields is the ABI.
//
// An entry is `int32_t entry(void** buffers, Runtime* runtime)`. `buffers` holds the addresses of
// the inputs, the constants, the outputs that are not forwarded, and last the scratch memory (null
// when the executable asked for none). No array's address is null, empty arrays included. It
// returns 0 when done, 1 after `fail` or a stop, -1 after `host` or `poll` returned nonzero.
#pragma once

#include <cstdint>

extern "C" {

struct Runtime {
  // Runs task(context, i) for 0 <= i < tasks on all threads; returns when all are done, or none
  // more start because `stop` is set. Nested calls run on the calling thread.
  void (*parallel_for)(struct Runtime*, void (*task)(void* context, int64_t index), void* context,
                       int64_t tasks);
  // Nonzero: stop now. Cheap enough for every few microseconds of work. Looks for a pending signal
  // at most every 50 ms, on the thread that called the executable; elsewhere it returns `stop`.
  int32_t (*poll)(struct Runtime*);
  // Records the first error of the call (the executable's on_error turns it into an exception) and
  // sets `stop`. Any thread may call it.
  void (*fail)(struct Runtime*, int64_t site, int64_t a, int64_t b);
  // Calls the executable's host function `index` with its number of buffers, as ints. Nonzero: it
  // raised, and `stop` is set. Any thread may call it; it takes the GIL.
  int32_t (*host)(struct Runtime*, int64_t index, void** buffers);
  // 64-byte aligned scratch memory that is freed at the end of the call; null when there is none.
  void* (*allocate)(struct Runtime*, int64_t bytes);
  // Nonzero once the call is to end: kernels look at it between tasks.
  volatile int32_t stop;
};

}

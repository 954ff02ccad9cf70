// A clock for programs whose steps are timed.
#include <chrono>

#include "symbols.h"

extern "C" {

// Nanoseconds since an arbitrary time; never runs backwards.
int64_t vires_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}

VIRES_SYMBOL(vires_clock)

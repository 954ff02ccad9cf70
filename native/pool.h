// Blocks of memory, 64-byte aligned, kept for reuse because fresh pages cost more than arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vires::pool {

struct Stats {
  int64_t live, cached, peak;
};

// A block of at least `bytes` bytes, or null when there is none; thread-safe, needs no GIL.
void* allocate(size_t bytes);
void release(void* block, size_t bytes);

Stats stats();
void trim();

// Registers the fork handlers; called once.
void initialise();

}  // namespace vires::pool

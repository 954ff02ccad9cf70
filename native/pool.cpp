#include "pool.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace vires::pool {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHuge = size_t{4} << 20;    // from here on: own mapping, huge pages
constexpr size_t kHugePage = size_t{2} << 20;
constexpr int kStepsLog = 3;                 // eight size classes for each power of two
constexpr int kClasses = 64 << kStepsLog;

// Rounds up to a size class, so that a freed block fits the next request of about its size.
size_t rounded(size_t bytes) {
  bytes = std::max<size_t>(bytes, 256);
  const int log = std::bit_width(bytes - 1) - 1;
  const size_t step = std::max<size_t>(size_t{1} << (log > kStepsLog ? log - kStepsLog : 0),
                                       kAlignment);
  const size_t unit = bytes > kHuge ? std::max(step, kHugePage) : step;
  return (bytes + unit - 1) / unit * unit;
}

int class_of(size_t size) {
  const int log = std::bit_width(size) - 1;
  return (log << kStepsLog) + static_cast<int>((size >> (log - kStepsLog)) & 7);
}

void* map(size_t size) {
  if (size < kHuge) return std::aligned_alloc(kAlignment, size);
  // Over-map and cut, so that the block starts on a huge page.
  const size_t whole = size + kHugePage;
  void* raw = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  const uintptr_t start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t block = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (block > start) munmap(raw, block - start);
  if (start + whole > block + size)
    munmap(reinterpret_cast<void*>(block + size), start + whole - block - size);
#ifdef MADV_HUGEPAGE
  madvise(reinterpret_cast<void*>(block), size, MADV_HUGEPAGE);
#endif
  return reinterpret_cast<void*>(block);
}

void unmap(void* block, size_t size) {
  if (size < kHuge) {
    std::free(block);
  } else {
    munmap(block, size);
  }
}

int64_t physical_memory() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  for (const char* path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    if (FILE* file = std::fopen(path, "r")) {
      long long limit = 0;
      if (std::fscanf(file, "%lld", &limit) == 1 && limit > 0)
        bytes = std::min<int64_t>(bytes, limit);
      std::fclose(file);
    }
  }
  return bytes;
}

struct Pool {
  std::mutex mutex;
  std::vector<void*> free[kClasses];
  int64_t live = 0, cached = 0, peak = 0;
  int64_t physical = physical_memory();
  int64_t limit = physical / 4;

  Pool() {
    if (const char* text = std::getenv("VIRES_POOL_LIMIT"))
      limit = std::max<int64_t>(0, std::strtoll(text, nullptr, 10));
  }
};

// Never destroyed: arrays may outlive static destructors.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

size_t size_of_class(int index) {
  const int log = index >> kStepsLog;
  return (size_t{1} << log) + (static_cast<size_t>(index & 7) << (log - kStepsLog));
}

void trim_locked(Pool& p) {
  for (int index = 0; index < kClasses; ++index) {
    for (void* block : p.free[index]) unmap(block, size_of_class(index));
    p.free[index].clear();
    p.free[index].shrink_to_fit();
  }
  p.cached = 0;
}

}  // namespace

void* allocate(size_t bytes) {
  if (bytes > static_cast<size_t>(INT64_MAX) / 4) return nullptr;
  Pool& p = pool();
  const size_t size = rounded(bytes);
  const int index = class_of(size);
  const int64_t signed_size = static_cast<int64_t>(size);
  void* block = nullptr;
  {
    const std::lock_guard lock(p.mutex);
    if (!p.free[index].empty()) {
      block = p.free[index].back();
      p.free[index].pop_back();
      p.cached -= signed_size;
    } else {
      if (p.live + signed_size > p.physical + p.limit) return nullptr;
      if (p.live + p.cached + signed_size > p.physical) trim_locked(p);
    }
    p.live += signed_size;
    p.peak = std::max(p.peak, p.live);
  }
  if (block) return block;
  block = map(size);
  if (!block) {
    trim();
    block = map(size);
  }
  if (!block) {
    const std::lock_guard lock(p.mutex);
    p.live -= signed_size;
  }
  return block;
}

void release(void* block, size_t bytes) {
  Pool& p = pool();
  const size_t size = rounded(bytes);
  const int64_t signed_size = static_cast<int64_t>(size);
  {
    const std::lock_guard lock(p.mutex);
    p.live -= signed_size;
    if (signed_size <= p.limit) {
      // What fills the pool is of sizes that are not asked for any more: start afresh.
      if (p.cached + signed_size > p.limit) trim_locked(p);
      p.free[class_of(size)].push_back(block);
      p.cached += signed_size;
      return;
    }
  }
  unmap(block, size);
}

Stats stats() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  return {p.live, p.cached, p.peak};
}

void trim() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  trim_locked(p);
}

void initialise() {
  // A fork while another thread holds the lock would leave the child with a lock that nobody frees.
  pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); },
                 [] { pool().mutex.unlock(); });
}

}  // namespace vires::pool

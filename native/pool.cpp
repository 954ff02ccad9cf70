#include "pool.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace vires::pool {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLarge = size_t{1} << 20;       // from here on: parts of own mappings, huge pages
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kRegion = size_t{32} << 20;     // the least that is mapped at once
constexpr int kStepsLog = 3;                     // eight size classes for each power of two
constexpr int kClasses = 64 << kStepsLog;

// Rounds up to a size class, so that a freed block fits the next request of about its size.
size_t rounded(size_t bytes) {
  bytes = std::max<size_t>(bytes, 256);
  const int log = std::bit_width(bytes - 1) - 1;
  const size_t step = std::max<size_t>(size_t{1} << (log > kStepsLog ? log - kStepsLog : 0),
                                       kAlignment);
  return (bytes + step - 1) / step * step;
}

int class_of(size_t size) {
  const int log = std::bit_width(size) - 1;
  return (log << kStepsLog) + static_cast<int>((size >> (log - kStepsLog)) & 7);
}

// Memory that has been used, in pieces of any size, neighbours joined; and the rest of a mapping,
// which nobody has touched. To touch memory first is what costs: a page must be found and zeroed.
class Extents {
 public:
  // A piece of the smallest extent that is large enough; null if there is none.
  void* take(size_t size) {
    const auto found = by_size_.lower_bound({size, 0});
    if (found == by_size_.end()) return nullptr;
    const auto [whole, start] = *found;
    erase(start, whole);
    if (whole > size) insert(start + size, whole - size);
    return reinterpret_cast<void*>(start);
  }

  void give(void* block, size_t size) {
    uintptr_t start = reinterpret_cast<uintptr_t>(block);
    const auto next = by_start_.lower_bound(start);
    if (next != by_start_.end() && next->first == start + size) {
      const size_t more = next->second;
      erase(start + size, more);
      size += more;
    }
    const auto after = by_start_.lower_bound(start);
    if (after != by_start_.begin()) {
      const auto [before, length] = *std::prev(after);
      if (before + length == start) {
        erase(before, length);
        start = before;
        size += length;
      }
    }
    insert(start, size);
  }

  // Memory that nobody has touched, with the used memory before it; null if the system has none.
  // `fresh` tells how much of it is untouched.
  void* grow(size_t size, size_t* fresh) {
    size_t used = 0;
    if (!by_start_.empty() && fresh_ != end_) {
      const auto after = by_start_.upper_bound(fresh_);
      if (after != by_start_.begin()) {
        const auto [start, length] = *std::prev(after);
        if (start + length == fresh_ && length < size) used = length;
      }
    }
    if (end_ - fresh_ < size - used) {
      if (!map(size)) return nullptr;
      used = 0;
    }
    if (used) erase(fresh_ - used, used);
    const uintptr_t block = fresh_ - used;
    fresh_ = block + size;
    *fresh = size - used;
    return reinterpret_cast<void*>(block);
  }

  // Gives all back to the system.
  void clear() {
    for (const auto& [start, size] : by_start_) munmap(reinterpret_cast<void*>(start), size);
    by_start_.clear();
    by_size_.clear();
  }

 private:
  void insert(uintptr_t start, size_t size) {
    by_start_.emplace(start, size);
    by_size_.emplace(size, start);
  }

  void erase(uintptr_t start, size_t size) {
    by_start_.erase(start);
    by_size_.erase({size, start});
  }

  bool map(size_t size) {
    // Over-map and cut, so that the mapping starts on a huge page.
    size = (std::max(size, kRegion) + kHugePage - 1) / kHugePage * kHugePage;
    const size_t whole = size + kHugePage;
    void* raw = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return false;
    const uintptr_t start = reinterpret_cast<uintptr_t>(raw);
    const uintptr_t block = (start + kHugePage - 1) / kHugePage * kHugePage;
    if (block > start) munmap(raw, block - start);
    if (start + whole > block + size)
      munmap(reinterpret_cast<void*>(block + size), start + whole - block - size);
#ifdef MADV_HUGEPAGE
    madvise(reinterpret_cast<void*>(block), size, MADV_HUGEPAGE);
#endif
    if (end_ > fresh_) munmap(reinterpret_cast<void*>(fresh_), end_ - fresh_);
    fresh_ = block;
    end_ = block + size;
    return true;
  }

  std::map<uintptr_t, size_t> by_start_;
  std::set<std::pair<size_t, uintptr_t>> by_size_;
  uintptr_t fresh_ = 0, end_ = 0;  // the untouched rest of the last mapping
};

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
  // Blocks as they were used, by size class: the last one freed is the first that is used again,
  // for it may still be in the processor's cache.
  std::vector<void*> free[kClasses];
  // Used memory of large blocks that were asked for in other sizes.
  Extents extents;
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

// Makes extents of the large blocks.
void join_locked(Pool& p) {
  for (int index = class_of(kLarge); index < kClasses; ++index) {
    for (void* block : p.free[index]) p.extents.give(block, size_of_class(index));
    p.free[index].clear();
  }
}

void trim_locked(Pool& p) {
  join_locked(p);
  p.extents.clear();
  for (int index = 0; index < class_of(kLarge); ++index) {
    for (void* block : p.free[index]) std::free(block);
    p.free[index].clear();
    p.free[index].shrink_to_fit();
  }
  p.cached = 0;
}

// A large block: of used memory if there is any, else of the system's.
void* large_locked(Pool& p, size_t size) {
  void* block = p.extents.take(size);
  if (!block) {
    join_locked(p);
    block = p.extents.take(size);
  }
  size_t fresh = 0;
  if (!block) {
    const int64_t needed = static_cast<int64_t>(size);
    if (p.live + p.cached + needed > p.physical) trim_locked(p);
    block = p.extents.grow(size, &fresh);
    if (!block) {
      trim_locked(p);
      block = p.extents.grow(size, &fresh);
    }
  }
  if (block) p.cached -= static_cast<int64_t>(size - fresh);
  return block;
}

void* small_locked(Pool& p, size_t size) {
  if (p.live + p.cached + static_cast<int64_t>(size) > p.physical) trim_locked(p);
  void* block = std::aligned_alloc(kAlignment, size);
  if (!block) {
    trim_locked(p);
    block = std::aligned_alloc(kAlignment, size);
  }
  return block;
}

}  // namespace

void* allocate(size_t bytes) {
  if (bytes > static_cast<size_t>(INT64_MAX) / 4) return nullptr;
  Pool& p = pool();
  const size_t size = rounded(bytes);
  const int index = class_of(size);
  const int64_t signed_size = static_cast<int64_t>(size);
  const std::lock_guard lock(p.mutex);
  void* block = nullptr;
  if (!p.free[index].empty()) {
    block = p.free[index].back();
    p.free[index].pop_back();
    p.cached -= signed_size;
  } else {
    if (p.live + signed_size > p.physical + p.limit) return nullptr;
    block = size < kLarge ? small_locked(p, size) : large_locked(p, size);
    if (!block) return nullptr;
  }
  p.live += signed_size;
  p.peak = std::max(p.peak, p.live);
  return block;
}

void release(void* block, size_t bytes) {
  Pool& p = pool();
  const size_t size = rounded(bytes);
  const int64_t signed_size = static_cast<int64_t>(size);
  const std::lock_guard lock(p.mutex);
  p.live -= signed_size;
  if (signed_size <= p.limit) {
    // What fills the pool is of sizes that are not asked for any more: start afresh.
    if (p.cached + signed_size > p.limit) trim_locked(p);
    p.free[class_of(size)].push_back(block);
    p.cached += signed_size;
  } else if (size < kLarge) {
    std::free(block);
  } else {
    munmap(block, size);
  }
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

#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace vires::threads {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(30);
constexpr auto kAttendance = std::chrono::milliseconds(20);
constexpr int kMaxThreads = 1024;

thread_local bool inside = false;  // this thread is running tasks

struct Job {
  Task task;
  void* context;
  int64_t tasks;
  int64_t grain;  // tasks that a thread takes at a time
  int helpers;    // workers that may still join; guarded by State::mutex
  const Attendant& attendant;
  std::atomic<int64_t> next{0};
  std::atomic<int> active{0};

  bool stopped() const { return attendant.stop && *attendant.stop; }

  void work(bool caller) {
    while (!stopped()) {
      const int64_t first = next.fetch_add(grain, std::memory_order_relaxed);
      if (first >= tasks) return;
      const int64_t last = std::min(first + grain, tasks);
      for (int64_t i = first; i < last && !stopped(); ++i) {
        task(context, i);
        if (caller && attendant.attend) attendant.attend(attendant.context);
      }
    }
  }
};

struct State {
  std::mutex owner;  // held by the thread whose job runs
  std::mutex mutex;
  std::condition_variable wake, finished;
  std::atomic<uint64_t> generation{0};
  Job* job = nullptr;
  int workers = 0;
};

// Never destroyed, since workers sleep on it until the process ends; replaced in a forked child.
State* state = new State;
std::atomic<int> wanted{0};

int default_count() {
  if (const char* text = std::getenv("VIRES_NUM_THREADS")) {
    const int number = std::atoi(text);
    if (number > 0) return std::min(number, kMaxThreads);
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

template <class Condition>
bool spin_until(Condition condition) {
  const auto deadline = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (condition()) return true;
      relax();
    }
  } while (Clock::now() < deadline);
  return condition();
}

void serve(State* s) {
  inside = true;
  uint64_t seen = 0;
  while (true) {
    spin_until([&] { return s->generation.load(std::memory_order_relaxed) != seen; });
    std::unique_lock lock(s->mutex);
    s->wake.wait(lock, [&] { return s->generation.load() != seen; });
    seen = s->generation.load();
    Job* job = s->job;
    if (!job || job->helpers == 0) continue;
    --job->helpers;
    job->active.fetch_add(1);
    lock.unlock();
    job->work(false);
    // The job may be gone as soon as `active` falls to zero.
    if (job->active.fetch_sub(1) == 1) {
      lock.lock();
      s->finished.notify_all();
    }
  }
}

// Starts workers up to `number`; signals stay with Python's threads. Called with `owner` held.
void start_workers(State* s, int number) {
  if (s->workers >= number) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (s->workers < number) {
    try {
      std::thread(serve, s).detach();
    } catch (const std::system_error&) {
      break;  // no more threads to be had: fewer do the same work
    }
    ++s->workers;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void run_alone(Job& job) {
  const bool before = std::exchange(inside, true);
  job.work(true);
  inside = before;
}

}  // namespace

int count() {
  int number = wanted.load(std::memory_order_relaxed);
  if (number == 0) {
    number = default_count();
    wanted.store(number);
  }
  return number;
}

void set_count(int number) { wanted.store(std::clamp(number, 1, kMaxThreads)); }

void parallel_for(Task task, void* context, int64_t tasks, const Attendant& attendant) {
  if (tasks <= 0) return;
  const int threads = static_cast<int>(std::min<int64_t>(count(), tasks));
  Job job{task, context, tasks, std::clamp<int64_t>(tasks / (32 * threads), 1, 64),
          threads - 1, attendant};
  State* s = state;
  if (threads == 1 || inside || !s->owner.try_lock()) return run_alone(job);
  start_workers(s, threads - 1);
  {
    const std::lock_guard lock(s->mutex);
    s->job = &job;
    s->generation.fetch_add(1);
  }
  s->wake.notify_all();
  inside = true;  // to the end: a signal handler that runs while we wait may call again
  job.work(true);
  {
    const std::lock_guard lock(s->mutex);
    s->job = nullptr;  // nobody joins any more
  }
  if (!spin_until([&] { return job.active.load() == 0; })) {
    std::unique_lock lock(s->mutex);
    while (job.active.load() != 0) {
      s->finished.wait_for(lock, kAttendance, [&] { return job.active.load() == 0; });
      if (attendant.attend && job.active.load() != 0) {
        lock.unlock();
        attendant.attend(attendant.context);
        lock.lock();
      }
    }
  }
  inside = false;
  s->owner.unlock();
}

void initialise() {
  // A child has no workers, and its locks may be held by threads that it does not have.
  pthread_atfork(nullptr, nullptr, [] {
    state = new State;
    inside = false;
  });
}

}  // namespace vires::threads

// Fourier transforms along the last axes of an array, of lengths whose prime factors are at most
// 13.
//
// One axis after the other; the lines along an axis are taken a vector at a time, on all threads.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "fft_lines.h"
#include "runtime.h"
#include "symbols.h"

namespace {

using namespace vires::fft;

constexpr size_t kMostPlans = 64;

// exp(-2 pi i k / n), from the first octant so that symmetric roots are equal.
template <typename R>
void root(int64_t k, int64_t n, R* out) {
  constexpr long double pi = 3.14159265358979323846264338327950288L;
  const bool lower = 2 * k > n;
  const int64_t j = lower ? n - k : k;
  const bool left = 4 * j > n;
  const int64_t part = left ? n - 2 * j : 2 * j;  // the angle is pi * part / n, at most pi / 2
  const auto length = static_cast<long double>(n);
  long double c, s;
  if (4 * part > n) {
    const long double angle = pi * static_cast<long double>(n - 2 * part) / (2 * length);
    c = std::sin(angle);
    s = std::cos(angle);
  } else {
    const long double angle = pi * static_cast<long double>(part) / length;
    c = std::cos(angle);
    s = std::sin(angle);
  }
  out[0] = static_cast<R>(left ? -c : c);
  out[1] = static_cast<R>(lower ? s : -s);
}

template <typename R>
std::vector<R> roots(int64_t n) {
  std::vector<R> table(static_cast<size_t>(2 * n));
  for (int64_t k = 0; k < n; ++k) root(k, n, table.data() + 2 * k);
  return table;
}

template <typename R>
struct OwnedPlan {
  Plan<R> plan{};
  std::vector<std::vector<R>> tables;

  explicit OwnedPlan(int64_t n) {
    plan.n = n;
    tables.reserve(kMostFactors + 1);
    tables.push_back(roots<R>(n));
    plan.roots = tables[0].data();
    for (const int factor : {4, 2, 3, 5, 7, 11, 13})
      for (; n % factor == 0; n /= factor) {
        tables.push_back(roots<R>(factor));
        plan.factors[plan.count] = factor;
        plan.small[plan.count++] = tables.back().data();
      }
  }
};

// Plans are kept for the next call; one that is in use outlives its place in the table.
template <typename R>
std::shared_ptr<const OwnedPlan<R>> plan_for(int64_t n) {
  static std::mutex mutex;
  static auto* plans = new std::map<int64_t, std::shared_ptr<const OwnedPlan<R>>>;
  const std::lock_guard lock(mutex);
  if (const auto found = plans->find(n); found != plans->end()) return found->second;
  if (plans->size() >= kMostPlans) plans->clear();
  return (*plans)[n] = std::make_shared<const OwnedPlan<R>>(n);
}

template <typename R>
using Run = void (*)(const Plan<R>&, const R*, const Lines&, R*, const Lines&, Kind, Element<R>*);

template <typename R>
void run_plain(const Plan<R>& plan, const R* from, const Lines& sources, R* to,
               const Lines& targets, Kind kind, Element<R>* work) {
  transform_lines(plan, from, sources, to, targets, kind, work);
}

#if defined(__x86_64__)
template <typename R>
__attribute__((target("avx2"))) void run_avx2(const Plan<R>& plan, const R* from,
                                              const Lines& sources, R* to, const Lines& targets,
                                              Kind kind, Element<R>* work) {
  transform_lines(plan, from, sources, to, targets, kind, work);
}
#endif

template <typename R>
Run<R> best() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return run_avx2<R>;
#endif
  return run_plain<R>;
}

// One axis of an array seen as [outer, length, inner]. Real transforms change the length.
template <typename R>
struct Pass {
  const Plan<R>* plan;
  Run<R> run;
  const R* from;
  R* to;
  int64_t outer, inner, source_length, target_length;
  Kind kind;
  std::atomic<bool> failed{false};

  int64_t per_outer() const { return inner >= kLanes<R> ? (inner + kLanes<R> - 1) / kLanes<R> : 0; }
  int64_t tasks() const {
    if (per_outer()) return outer * per_outer();
    return (outer * inner + kLanes<R> - 1) / kLanes<R>;
  }
};

struct Freed {
  void operator()(void* p) const { std::free(p); }
};

template <typename R>
void pass_task(void* context, int64_t task) {
  auto& pass = *static_cast<Pass<R>*>(context);
  constexpr int lanes = kLanes<R>;
  int64_t sources[lanes], targets[lanes];
  int64_t first, end;  // lines, counted over [outer, inner]
  if (const int64_t each = pass.per_outer()) {
    first = task / each * pass.inner + task % each * lanes;
    end = std::min(first + lanes, (task / each + 1) * pass.inner);
  } else {
    first = task * lanes;
    end = std::min(first + lanes, pass.outer * pass.inner);
  }
  for (int64_t line = first; line < end; ++line) {
    const int64_t o = line / pass.inner, i = line % pass.inner;
    sources[line - first] = o * pass.source_length * pass.inner + i;
    targets[line - first] = o * pass.target_length * pass.inner + i;
  }
  const int present = static_cast<int>(end - first);
  const bool contiguous = pass.inner >= lanes;
  const Lines source{sources, pass.inner, present, contiguous, pass.kind == Kind::real_forward};
  const Lines target{targets, pass.inner, present, contiguous, pass.kind == Kind::real_inverse};
  const auto bytes = static_cast<size_t>(2 * pass.plan->n) * sizeof(Element<R>);
  // Kept by each thread: fresh pages would cost as much as the transform.
  static thread_local std::unique_ptr<void, Freed> kept;
  static thread_local size_t size = 0;
  if (size < bytes) {
    kept.reset(std::aligned_alloc(64, bytes));
    size = kept ? bytes : 0;
    if (!kept) {
      pass.failed = true;
      return;
    }
  }
  pass.run(*pass.plan, pass.from, source, pass.to, target, pass.kind,
           static_cast<Element<R>*>(kept.get()));
}

template <typename R>
bool along(Runtime* runtime, const R* from, R* to, int64_t outer, int64_t n, int64_t inner,
           Kind kind) {
  const auto owned = plan_for<R>(n);
  const int64_t half = n / 2 + 1;
  Pass<R> pass{&owned->plan, best<R>(), from, to, outer, inner,
               kind == Kind::real_inverse ? half : n, kind == Kind::real_forward ? half : n, kind};
  const int64_t tasks = pass.tasks();
  if (tasks == 1)
    pass_task<R>(&pass, 0);
  else
    runtime->parallel_for(runtime, pass_task<R>, &pass, tasks);
  return !pass.failed;
}

// args: bytes of a real number, kind, number of outer lines, rank, lengths.
template <typename R>
bool all_axes(Runtime* runtime, const int64_t* args, const R* in, R* out) {
  const auto kind = static_cast<Kind>(args[1]);
  const int64_t batch = args[2], rank = args[3];
  const int64_t* lengths = args + 4;
  const bool to_real = kind == Kind::real_inverse;
  const Kind others = kind == Kind::inverse || to_real ? Kind::inverse : Kind::forward;
  const int64_t last = lengths[rank - 1];
  const int64_t width = kind == Kind::forward || kind == Kind::inverse ? last : last / 2 + 1;
  int64_t lines = batch;
  for (int64_t d = 0; d + 1 < rank; ++d) lines *= lengths[d];
  if (lines == 0) return true;
  const R* from = in;
  R* spectrum = out;
  if (to_real && rank > 1) {
    spectrum = static_cast<R*>(
        runtime->allocate(runtime, 2 * lines * width * static_cast<int64_t>(sizeof(R))));
    if (!spectrum) return false;
  }
  if (!to_real) {
    if (!along(runtime, from, out, lines, last, 1, kind)) return false;
    from = out;
  }
  int64_t inner = width;
  for (int64_t d = rank - 2; d >= 0; --d) {
    const int64_t outer = lines / (inner / width) / lengths[d];
    if (!along(runtime, from, spectrum, outer, lengths[d], inner, others)) return false;
    from = spectrum;
    inner *= lengths[d];
  }
  return !to_real || along(runtime, from, out, lines, last, 1, kind);
}

}  // namespace

extern "C" {

// Returns 0, or 1 when there is no memory for the work.
int32_t vires_fft(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const bool done = args[0] == 4
                        ? all_axes(runtime, args, static_cast<const float*>(inputs[0]),
                                   static_cast<float*>(outputs[0]))
                        : all_axes(runtime, args, static_cast<const double*>(inputs[0]),
                                   static_cast<double*>(outputs[0]));
  return done ? 0 : 1;
}

}

VIRES_SYMBOL(vires_fft)

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

// One axis of an array seen as [outer, length, rows, row]: all of its lines, or those through the first
// `used` elements of each row. Real transforms change the length.
template <typename R>
struct Pass {
  const Plan<R>* plan;
  Run<R> run;
  const R* from;
  R* to;
  int64_t outer, rows, row, used, source_length, target_length;
  Kind kind;
  std::atomic<bool> failed{false};

  int64_t inner() const { return rows * row; }
  int64_t per_row() const { return used >= kLanes<R> ? (used + kLanes<R> - 1) / kLanes<R> : 0; }
  int64_t tasks() const {
    if (per_row()) return outer * rows * per_row();
    return (outer * rows * used + kLanes<R> - 1) / kLanes<R>;
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
  int64_t first, end;  // lines, counted over [outer, rows, used]
  if (const int64_t each = pass.per_row()) {
    first = task / each * pass.used + task % each * lanes;
    end = std::min(first + lanes, (task / each + 1) * pass.used);
  } else {
    first = task * lanes;
    end = std::min(first + lanes, pass.outer * pass.rows * pass.used);
  }
  const int64_t inner = pass.inner();
  for (int64_t line = first; line < end; ++line) {
    const int64_t o = line / pass.used / pass.rows;
    const int64_t i = line / pass.used % pass.rows * pass.row + line % pass.used;
    sources[line - first] = o * pass.source_length * inner + i;
    targets[line - first] = o * pass.target_length * inner + i;
  }
  const int present = static_cast<int>(end - first);
  const bool contiguous = pass.used >= lanes;
  const Lines source{sources, inner, present, contiguous, pass.kind == Kind::real_forward};
  const Lines target{targets, inner, present, contiguous, pass.kind == Kind::real_inverse};
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
bool run_pass(Runtime* runtime, Pass<R>& pass) {
  const int64_t tasks = pass.tasks();
  if (tasks == 1)
    pass_task<R>(&pass, 0);
  else
    runtime->parallel_for(runtime, pass_task<R>, &pass, tasks);
  return !pass.failed;
}

template <typename R>
bool along(Runtime* runtime, const R* from, R* to, int64_t outer, int64_t n, int64_t inner,
           Kind kind) {
  const auto owned = plan_for<R>(n);
  const int64_t half = n / 2 + 1;
  Pass<R> pass{&owned->plan, best<R>(), from, to, outer, 1, inner, inner,
               kind == Kind::real_inverse ? half : n, kind == Kind::real_forward ? half : n, kind};
  return run_pass(runtime, pass);
}

// args: bytes of a real number, kind (FftType, or kWholeOfReal), number of outer lines, rank,
// lengths.
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

// Completes the lines of a spectrum of real numbers of which the nonnegative frequencies are there:
// the others are the conjugates of the numbers at the opposite frequencies.
template <typename R>
struct Mirror {
  static constexpr int64_t kLinesAtOnce = 16;

  R* spectrum;
  int64_t lines, rank;
  const int64_t* lengths;

  // The line at the opposite frequencies along all axes but the last.
  int64_t opposite(int64_t line) const {
    int64_t result = 0, size = 1;
    for (int64_t d = rank - 2; d >= 0; --d) {
      const int64_t i = line % lengths[d];
      result += (i ? lengths[d] - i : 0) * size;
      size *= lengths[d];
      line /= lengths[d];
    }
    return result + line * size;
  }

  static void task(void* context, int64_t task) {
    const auto& self = *static_cast<Mirror*>(context);
    const int64_t n = self.lengths[self.rank - 1];
    const int64_t end = std::min(self.lines, (task + 1) * kLinesAtOnce);
    for (int64_t line = task * kLinesAtOnce; line < end; ++line) {
      R* to = self.spectrum + 2 * line * n;
      const R* from = self.spectrum + 2 * self.opposite(line) * n;
      for (int64_t k = n / 2 + 1; k < n; ++k) {
        to[2 * k] = from[2 * (n - k)];
        to[2 * k + 1] = -from[2 * (n - k) + 1];
      }
    }
  }
};

// As all_axes, for complex results of real numbers.
template <typename R>
bool whole_of_real(Runtime* runtime, const int64_t* args, const R* in, R* out) {
  const int64_t rank = args[3], *lengths = args + 4, last = lengths[rank - 1];
  int64_t lines = args[2];
  for (int64_t d = 0; d + 1 < rank; ++d) lines *= lengths[d];
  if (lines == 0) return true;
  const auto first = plan_for<R>(last);
  Pass<R> pass{&first->plan, best<R>(), in, out, lines, 1, 1, 1, last, last, Kind::real_forward};
  if (!run_pass(runtime, pass)) return false;
  int64_t rows = 1;
  for (int64_t d = rank - 2; d >= 0; --d) {
    const auto owned = plan_for<R>(lengths[d]);
    const int64_t outer = lines / rows / lengths[d];
    Pass<R> other{&owned->plan, best<R>(), out, out, outer, rows, last, last / 2 + 1,
                  lengths[d], lengths[d], Kind::forward};
    if (!run_pass(runtime, other)) return false;
    rows *= lengths[d];
  }
  Mirror<R> mirror{out, lines, rank, lengths};
  constexpr int64_t each = Mirror<R>::kLinesAtOnce;
  runtime->parallel_for(runtime, Mirror<R>::task, &mirror, (lines + each - 1) / each);
  return true;
}

// `args[1]` that stands for it.
constexpr int64_t kWholeOfReal = 4;

template <typename R>
bool transform(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const auto* in = static_cast<const R*>(inputs[0]);
  auto* out = static_cast<R*>(outputs[0]);
  return args[1] == kWholeOfReal ? whole_of_real(runtime, args, in, out)
                                 : all_axes(runtime, args, in, out);
}

}  // namespace

extern "C" {

// Returns 0, or 1 when there is no memory for the work.
int32_t vires_fft(Runtime* runtime, const int64_t* args, void** inputs, void** outputs) {
  const bool done = args[0] == 4 ? transform<float>(runtime, args, inputs, outputs)
                                 : transform<double>(runtime, args, inputs, outputs);
  return done ? 0 : 1;
}

}

VIRES_SYMBOL(vires_fft)

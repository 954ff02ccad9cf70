// Positions of the largest and smallest elements along an axis.
#include <algorithm>
#include <memory>
#include <type_traits>

#include "clones.h"
#include "element_types.h"
#include "reduction.h"
#include "threads.h"

namespace vires {
namespace {

constexpr int64_t kPiece = 1 << 15;     // elements of a task
constexpr int64_t kThreaded = 1 << 17;  // elements; below this one thread is faster
constexpr int64_t kSide = 16;

template <typename T>
struct Order {
  using Value = T;
  static T load(T x) { return x; }
};
template <>
struct Order<Half> {
  using Value = float;
  static float load(Half x) { return widen(x); }
};
template <>
struct Order<Brain> {
  using Value = float;
  static float load(Brain x) { return widen(x); }
};

template <bool largest, typename V>
inline bool before(V a, V b) {
  return largest ? a > b : a < b;
}

template <typename V>
inline bool is_nan(V x) {
  if constexpr (std::is_floating_point_v<V>) return x != x;
  return false;
}

// The best value of a line of at least kWide elements, and whether there is a nan.
template <bool largest, int64_t kWide, typename T>
VIRES_CLONES bool best_value(const T* x, int64_t n, typename Order<T>::Value* result) {
  using O = Order<T>;
  using V = typename O::Value;
  V best[kWide];
  int32_t odd[kWide];
  for (int64_t k = 0; k < kWide; ++k) {
    best[k] = O::load(x[k]);
    odd[k] = is_nan(best[k]);
  }
  int64_t i = kWide;
  for (; i + kWide <= n; i += kWide) {
    for (int64_t k = 0; k < kWide; ++k) {
      const V value = O::load(x[i + k]);
      best[k] = before<largest>(value, best[k]) ? value : best[k];
      odd[k] |= is_nan(value);
    }
  }
  V found = best[0];
  bool nan = false;
  for (; i < n; ++i) {
    const V value = O::load(x[i]);
    found = before<largest>(value, found) ? value : found;
    nan |= is_nan(value);
  }
  for (int64_t k = 0; k < kWide; ++k) {
    found = before<largest>(best[k], found) ? best[k] : found;
    nan |= odd[k] != 0;
  }
  *result = found;
  return nan;
}

template <bool largest, typename T>
bool best_of(const T* x, int64_t n, typename Order<T>::Value* result) {
  return n < 16 * kSide ? best_value<largest, kSide>(x, n, result)
                        : best_value<largest, 4 * kSide>(x, n, result);
}

// Whether a run of kRun elements holds the value.
constexpr int64_t kRun = 4 * kSide;
template <typename T>
VIRES_CLONES bool holds(const T* x, typename Order<T>::Value value) {
  int32_t hits[kRun];
  for (int64_t k = 0; k < kRun; ++k) hits[k] = Order<T>::load(x[k]) == value;
  int32_t any = 0;
  for (int64_t k = 0; k < kRun; ++k) any |= hits[k];
  return any != 0;
}

// The first best element of a line: its value first, in many lanes, then where it is.
template <bool largest, typename T>
int64_t first_best(const T* x, int64_t n) {
  using O = Order<T>;
  using V = typename O::Value;
  if (n < kSide) {
    int64_t best = 0;
    for (int64_t j = 0; j < n; ++j) {
      const V value = O::load(x[j]), old = O::load(x[best]);
      if (is_nan(old)) break;
      if (before<largest>(value, old) || is_nan(value)) best = j;
    }
    return best;
  }
  V best;
  int64_t j = 0;
  if (best_of<largest>(x, n, &best)) {
    while (!is_nan(O::load(x[j]))) ++j;
    return j;
  }
  while (j + kRun <= n && !holds(x + j, best)) j += kRun;
  while (!(O::load(x[j]) == best)) ++j;
  return j;
}

// Row i against the best of the rows before it.
template <bool largest, typename T, typename Index>
VIRES_CLONES void better(const T* row, int64_t n, int64_t i, typename Order<T>::Value* best,
                         Index* out) {
  for (int64_t j = 0; j < n; ++j) {
    const auto value = Order<T>::load(row[j]);
    // Nothing compares with a nan: it stays.
    const bool wins = before<largest>(value, best[j]) | (is_nan(value) & !is_nan(best[j]));
    best[j] = wins ? value : best[j];
    out[j] = wins ? static_cast<Index>(i) : out[j];
  }
}

template <bool largest, typename T, typename Index>
struct Job {
  using O = Order<T>;
  using V = typename O::Value;
  const T* x;
  Index* out;
  int64_t outer, length, inner, each;
  V* pieces = nullptr;  // of one long line: the best value of each piece, a nan where there is one

  static void piece(void* context, int64_t i) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t start = i * kPiece, n = std::min(kPiece, job.length - start);
    const T* x = job.x + start;
    V best;
    if (n < kSide || best_of<largest>(x, n, &best)) best = O::load(x[first_best<largest>(x, n)]);
    job.pieces[i] = best;
  }

  static void lines(void* context, int64_t task) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t last = std::min(job.outer, (task + 1) * job.each);
    for (int64_t i = task * job.each; i < last; ++i)
      job.out[i] = static_cast<Index>(first_best<largest>(job.x + i * job.length, job.length));
  }

  // A band of columns of one slab.
  static void columns(void* context, int64_t task) {
    const Job& job = *static_cast<const Job*>(context);
    const int64_t bands = (job.inner + kBand - 1) / kBand;
    const int64_t slab = task / bands, first = task % bands * kBand;
    const int64_t width = std::min(kBand, job.inner - first);
    const T* x = job.x + slab * job.length * job.inner + first;
    Index* out = job.out + slab * job.inner + first;
    V best[kBand];
    for (int64_t j = 0; j < width; ++j) {
      best[j] = O::load(x[j]);
      out[j] = 0;
    }
    for (int64_t i = 1; i < job.length; ++i)
      better<largest>(x + i * job.inner, width, i, best, out);
  }
  static constexpr int64_t kBand = 512;

  bool run() {
    const int64_t size = outer * length * inner;
    if (inner > 1) {
      const int64_t tasks = outer * ((inner + kBand - 1) / kBand);
      run_tasks(columns, tasks, size);
    } else if (outer == 1 && length >= kThreaded) {
      const int64_t count = (length + kPiece - 1) / kPiece;
      const std::unique_ptr<V[]> values(new (std::nothrow) V[count]);
      if (!values) return false;
      pieces = values.get();
      threads::parallel_for(piece, this, count);
      int64_t best = 0;
      for (int64_t i = 1; i < count; ++i)
        if (!is_nan(pieces[best]) &&
            (is_nan(pieces[i]) || before<largest>(pieces[i], pieces[best])))
          best = i;
      const int64_t start = best * kPiece;
      out[0] = static_cast<Index>(
          start + first_best<largest>(x + start, std::min(kPiece, length - start)));
    } else {
      each = std::max<int64_t>(1, kPiece / length);
      run_tasks(lines, (outer + each - 1) / each, size);
    }
    return true;
  }

  void run_tasks(threads::Task task, int64_t tasks, int64_t size) {
    if (size >= kThreaded) return threads::parallel_for(task, this, tasks);
    for (int64_t i = 0; i < tasks; ++i) task(this, i);
  }
};

template <typename T>
bool by_index(Array* array, bool largest, int64_t length, int64_t inner, Array* result) {
  const T* x = reinterpret_cast<const T*>(array->data);
  const int64_t outer = array->size / (length * inner);
  const auto run = [&](auto index) {
    using Index = decltype(index);
    Index* out = reinterpret_cast<Index*>(result->data);
    return largest ? Job<true, T, Index>{x, out, outer, length, inner, 0}.run()
                   : Job<false, T, Index>{x, out, outer, length, inner, 0}.run();
  };
  const bool done = result->code == kInt64 ? run(int64_t{}) : run(int32_t{});
  if (!done) PyErr_NoMemory();
  return done;
}

}  // namespace

bool has_position(int code) { return code <= kFloat64; }

bool array_position(Array* array, bool largest, int64_t length, int64_t inner, Array* result) {
  if (array->size == 0) return true;
  if (!has_position(array->code)) {
    PyErr_SetString(PyExc_TypeError, "argmax: no such dtype");
    return false;
  }
  return by_element<kWithBool | kWithHalf>(array->code, false, [&](auto element) {
    return by_index<decltype(element)>(array, largest, length, inner, result);
  });
}

}  // namespace vires

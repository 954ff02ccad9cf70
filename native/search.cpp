// Shortcuts whose results depend on values: searchsorted, unique, bincount, nonzero.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <type_traits>

#include "call.h"
#include "context.h"
#include "element_types.h"
#include "shortcut.h"
#include "symbols.h"
#include "threads.h"

namespace vires {
namespace {

// A live array of a plain number type among plain arguments; null for others.
Array* number_array(PyObject* object) {
  if (!is_array(object) || as_array(object)->code > kFloat64 || !as_array(object)->buffer)
    return nullptr;
  return array_check(as_array(object)) ? as_array(object) : nullptr;
}

bool named(PyObject* keywords) { return keywords && PyTuple_GET_SIZE(keywords) > 0; }

int index_code() { return scalar_code(&PyLong_Type); }

// --- searchsorted

// The order of sorted arrays: nan is the largest.
template <class T>
inline bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || (b != b && a == a);
  return a < b;
}

// Whether an element lies before the place of a value.
template <bool right, class T>
inline bool lies_before(T element, T value) {
  return right ? !less(value, element) : less(element, value);
}

template <class T, class Index, bool right>
struct Search {
  static constexpr int64_t kTask = 1 << 13;
  const T* sorted;
  int64_t size;
  const T* values;
  Index* out;
  int64_t count;

  void run(int64_t first, int64_t last) const {
    for (int64_t i = first; i < last; ++i) {
      const T value = values[i];
      const T* base = sorted;
      int64_t length = size;
      while (length > 1) {  // without branches: the next half follows from a comparison
        const int64_t half = length / 2;
        base += lies_before<right>(base[half - 1], value) ? half : 0;
        length -= half;
      }
      out[i] = static_cast<Index>(base - sorted +
                                  (length == 1 && lies_before<right>(*base, value)));
    }
  }

  static void task(void* context, int64_t index) {
    const Search& self = *static_cast<const Search*>(context);
    self.run(index * kTask, std::min(self.count, (index + 1) * kTask));
  }
};

template <class T, class Index>
void search(const Array* a, const Array* v, bool right, Array* result) {
  const auto run = [&](auto search) {
    if (search.count <= search.kTask) return search.run(0, search.count);
    threads::parallel_for(search.task, &search, (search.count + search.kTask - 1) / search.kTask);
  };
  const T *sorted = reinterpret_cast<const T*>(a->data), *values =
                                                             reinterpret_cast<const T*>(v->data);
  Index* out = reinterpret_cast<Index*>(result->data);
  if (right) {
    run(Search<T, Index, true>{sorted, a->size, values, out, v->size});
  } else {
    run(Search<T, Index, false>{sorted, a->size, values, out, v->size});
  }
}

// searchsorted(a, v), searchsorted(a, v, side)
PyObject* searchsorted(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (named(keywords) || count < 2 || count > 3) return nullptr;
  bool right = false;
  if (count == 3) {
    if (!PyUnicode_Check(args[2])) return nullptr;
    right = PyUnicode_CompareWithASCIIString(args[2], "right") == 0;
    if (!right && PyUnicode_CompareWithASCIIString(args[2], "left") != 0) return nullptr;
  }
  Array* a = number_array(args[0]);
  Array* v = a && a->ndim == 1 ? number_array(args[1]) : nullptr;
  if (!v || a->code != v->code) return nullptr;
  return by_element<kNumbers>(a->code, static_cast<PyObject*>(nullptr), [&](auto element) -> PyObject* {
    using T = decltype(element);
    Array* result = array_new(index_code(), false, v->ndim, v->dims);
    if (!result) return nullptr;
    if (result->code == kInt64) {
      search<T, int64_t>(a, v, right, result);
    } else {
      search<T, int32_t>(a, v, right, result);
    }
    return as_object(result);
  });
}

// --- unique

using Sort = int32_t (*)(Runtime*, int64_t, int64_t, int64_t, int64_t, int64_t, const int32_t*,
                         const int64_t*, void**, void**);

PyObject* unique(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (named(keywords) || count != 1) return nullptr;
  Array* x = number_array(args[0]);
  if (!x || x->size >= int64_t{1} << 32) return nullptr;
  return by_element<kNumbers>(x->code, static_cast<PyObject*>(nullptr), [&](auto element) -> PyObject* {
    using T = decltype(element);
    static const auto sort = reinterpret_cast<Sort>(symbol_table()["vires_sort"]);
    Array* sorted = array_new(x->code, false, 1, &x->size);
    if (!sorted) return nullptr;
    const Owned held(as_object(sorted));
    const int32_t code = x->code;
    const int64_t itemsize = sizeof(T);
    void *input = x->data, *output = sorted->data;
    Call call(nullptr, 0);
    if (sort(&call, 1, x->size, 1, 1, 1, &code, &itemsize, &input, &output) != 0)
      return PyErr_NoMemory();
    T* values = reinterpret_cast<T*>(sorted->data);
    int64_t found = 0;
    for (int64_t i = 0; i < x->size; ++i) {
      const T value = values[i];
      const bool again = found && (value == values[found - 1] ||
                                   (value != value && values[found - 1] != values[found - 1]));
      values[found] = again ? values[found] : value;
      found += !again;
    }
    Array* result = array_new(x->code, false, 1, &found);
    if (result)
      std::memcpy(result->data, values, static_cast<size_t>(found) * sizeof(T));
    return as_object(result);
  });
}

// --- bincount

PyObject* bincount(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (named(keywords) || count != 1) return nullptr;
  Array* x = number_array(args[0]);
  if (!x || x->ndim != 1 || !is_integer(x->code) || x->size > INT32_MAX) return nullptr;
  return by_element<kNumbers>(x->code, static_cast<PyObject*>(nullptr), [&](auto element) -> PyObject* {
    using T = decltype(element);
    if constexpr (std::is_floating_point_v<T>) {
      return nullptr;
    } else {
      const T* values = reinterpret_cast<const T*>(x->data);
      T least = 0, most = 0;
      for (int64_t i = 0; i < x->size; ++i) {
        least = std::min(least, values[i]);
        most = std::max(most, values[i]);
      }
      if (least < 0 || static_cast<uint64_t>(most) > uint64_t{1} << 31) return nullptr;
      const int64_t length = x->size ? static_cast<int64_t>(most) + 1 : 0;
      Array* result = array_new(index_code(), false, 1, &length);
      if (!result) return nullptr;
      const auto add = [&](auto index) {
        auto* out = reinterpret_cast<decltype(index)*>(result->data);
        std::fill_n(out, length, 0);
        for (int64_t i = 0; i < x->size; ++i) ++out[values[i]];
      };
      if (result->code == kInt64) {
        add(int64_t{});
      } else {
        add(int32_t{});
      }
      return as_object(result);
    }
  });
}

// --- nonzero

template <class Index>
void places(const Array* mask, int64_t found, PyObject* tuple) {
  const int ndim = mask->ndim;
  Index* out[kMaxDims];
  for (int d = 0; d < ndim; ++d)
    out[d] = reinterpret_cast<Index*>(as_array(PyTuple_GET_ITEM(tuple, d))->data);
  int64_t at = 0;
  if (ndim == 1) {
    for (int64_t i = 0; at < found; ++i) {
      out[0][at] = static_cast<Index>(i);
      at += mask->data[i] != 0;
    }
    return;
  }
  for (int64_t i = 0; at < found; ++i) {
    if (!mask->data[i]) continue;
    int64_t rest = i;
    for (int d = ndim; d-- > 0;) {
      out[d][at] = static_cast<Index>(rest % mask->dims[d]);
      rest /= mask->dims[d];
    }
    ++at;
  }
}

PyObject* nonzero(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (named(keywords) || count != 1) return nullptr;
  Array* mask = number_array(args[0]);
  if (!mask || mask->code != kBool || mask->ndim == 0) return nullptr;
  int64_t found = 0;
  for (int64_t i = 0; i < mask->size; ++i) found += mask->data[i] != 0;
  PyObject* tuple = PyTuple_New(mask->ndim);
  for (int d = 0; tuple && d < mask->ndim; ++d) {
    Array* axis = array_new(index_code(), false, 1, &found);
    if (!axis) {
      Py_CLEAR(tuple);
    } else {
      PyTuple_SET_ITEM(tuple, d, as_object(axis));
    }
  }
  if (!tuple) return nullptr;
  if (index_code() == kInt64) {
    places<int64_t>(mask, found, tuple);
  } else {
    places<int32_t>(mask, found, tuple);
  }
  return tuple;
}

struct Entry {
  std::string_view name;
  ShortcutFunction function;
};
constexpr Entry entries[] = {{"searchsorted", searchsorted},
                             {"unique", unique},
                             {"bincount", bincount},
                             {"nonzero", nonzero}};

}  // namespace

ShortcutFunction find_search_shortcut(const char* name) {
  const auto found = std::find_if(std::begin(entries), std::end(entries),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(entries) ? nullptr : found->function;
}

}  // namespace vires

#include "reduction.h"

#include <memory>

#include "reduction_walk.h"

namespace vires {
namespace {

using namespace reduction;

template <typename T, Reduce kind>
PyObject* reduce(Array* array, const Layout& layout, Array* result) {
  using E = Element<T>;
  using Sum = typename E::Sum;
  const auto* x = reinterpret_cast<const T*>(array->data);
  auto* out = reinterpret_cast<T*>(result->data);
  if constexpr (std::is_same_v<T, Sum>) {
    std::fill(out, out + result->size, identity<kind, Sum>());
    if (array->size) Job<T, kind>{layout, x, out, array->size}.run();
  } else {
    const size_t size = static_cast<size_t>(result->size);
    std::unique_ptr<Sum[]> sums(new (std::nothrow) Sum[size]);
    if (!sums) return PyErr_NoMemory();
    std::fill(sums.get(), sums.get() + size, identity<kind, Sum>());
    if (array->size) Job<T, kind>{layout, x, sums.get(), array->size}.run();
    for (size_t i = 0; i < size; ++i) out[i] = E::store(sums[i]);
  }
  return as_object(result);
}

template <typename T>
PyObject* by_kind(Reduce kind, Array* array, const Layout& layout, Array* result) {
  using Sum = typename Element<T>::Sum;
  if constexpr (!std::is_same_v<T, bool>) {
    if (kind == Reduce::kSum) return reduce<T, Reduce::kSum>(array, layout, result);
    if (kind == Reduce::kProduct) return reduce<T, Reduce::kProduct>(array, layout, result);
  }
  if constexpr (!is_complex<Sum> && !std::is_same_v<T, bool>) {
    if (kind == Reduce::kMaximum) return reduce<T, Reduce::kMaximum>(array, layout, result);
    if (kind == Reduce::kMinimum) return reduce<T, Reduce::kMinimum>(array, layout, result);
  }
  if constexpr (std::is_integral_v<T>) {
    if (kind == Reduce::kAnd) return reduce<T, Reduce::kAnd>(array, layout, result);
    if (kind == Reduce::kOr) return reduce<T, Reduce::kOr>(array, layout, result);
    if (kind == Reduce::kXor) return reduce<T, Reduce::kXor>(array, layout, result);
  }
  return nullptr;
}

// The sum of a narrow dtype in a wider one.
template <typename T, typename S>
PyObject* widened(Array* array, const Layout& layout, Array* result) {
  auto* out = reinterpret_cast<S*>(result->data);
  std::fill(out, out + result->size, S(0));
  const auto* x = reinterpret_cast<const Wide<T, S>*>(array->data);
  if (array->size) Job<Wide<T, S>, Reduce::kSum>{layout, x, out, array->size}.run();
  return as_object(result);
}

// Two's complement: the bits of a sum do not depend on the sign of its type.
template <typename T>
PyObject* widened_from(Array* array, const Layout& layout, Array* result) {
  switch (result->code) {
    case kInt32:
    case kUInt32: return widened<T, uint32_t>(array, layout, result);
    case kInt64:
    case kUInt64: return widened<T, uint64_t>(array, layout, result);
    case kFloat32: return widened<T, float>(array, layout, result);
    default: return nullptr;
  }
}

PyObject* dispatch_widened(Array* array, const Layout& layout, Array* result) {
  switch (array->code) {
    case kBool: return widened_from<bool>(array, layout, result);
    case kInt8: return widened_from<int8_t>(array, layout, result);
    case kUInt8: return widened_from<uint8_t>(array, layout, result);
    case kInt16: return widened_from<int16_t>(array, layout, result);
    case kUInt16: return widened_from<uint16_t>(array, layout, result);
    default: return nullptr;
  }
}

PyObject* dispatch(Reduce kind, Array* array, const Layout& layout, Array* result) {
  if (array->code != result->code)
    return kind == Reduce::kSum ? dispatch_widened(array, layout, result) : nullptr;
  if (array->code == kBool && kind == Reduce::kMaximum) kind = Reduce::kOr;
  if (array->code == kBool && kind == Reduce::kMinimum) kind = Reduce::kAnd;
  return by_element<kWithBool | kWithHalf | kWithComplex>(
      array->code, static_cast<PyObject*>(nullptr), [&](auto element) {
        return by_kind<decltype(element)>(kind, array, layout, result);
      });
}

}  // namespace

PyObject* array_reduce(Array* array, Reduce kind, uint64_t axes, int code) {
  if (!array_check(array)) return nullptr;
  int64_t dims[kMaxDims];
  int ndim = 0;
  for (int d = 0; d < array->ndim; ++d)
    if (!(axes >> d & 1)) dims[ndim++] = array->dims[d];
  Array* result = array_new(code, array->weak, ndim, dims);
  if (!result) return nullptr;
  const Layout layout(array, axes);
  PyObject* done = dispatch(kind, array, layout, result);
  if (done) return done;
  Py_DECREF(as_object(result));
  if (PyErr_Occurred()) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace vires

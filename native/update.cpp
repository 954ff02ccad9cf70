#include "update.h"

#include <algorithm>
#include <complex>
#include <iterator>
#include <string_view>
#include <type_traits>

#include "element_types.h"
#include "selection.h"

namespace vires {
namespace {

struct At {
  PyObject_HEAD
  PyObject* array;
};

struct IndexUpdate {
  PyObject_HEAD
  PyObject* array;
  PyObject* index;
};

PyTypeObject* at_type = nullptr;  // the Python classes
PyTypeObject* update_type = nullptr;
PyTypeObject* update_base = nullptr;

At* as_at(PyObject* self) { return reinterpret_cast<At*>(self); }
IndexUpdate* as_update(PyObject* self) { return reinterpret_cast<IndexUpdate*>(self); }

enum class Operation { kSet, kAdd, kMultiply };

// --- what is combined with what

template <Operation operation, class T>
inline T combine(T x, T y) {
  if constexpr (operation == Operation::kSet) {
    return y;
  } else if constexpr (std::is_integral_v<T>) {
    const uint64_t a = static_cast<uint64_t>(x), b = static_cast<uint64_t>(y);
    return static_cast<T>(operation == Operation::kAdd ? a + b : a * b);
  } else if constexpr (operation == Operation::kAdd) {
    return x + y;
  } else if constexpr (std::is_floating_point_v<T>) {
    return x * y;
  } else {
    return T(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
  }
}

// Where the elements are, outermost axis first, and where their values.
struct Walk {
  Part target;
  int64_t steps[kMaxDims];  // of the values, in bytes
  const std::vector<int64_t>* offsets = nullptr;  // in place of the axes from `first` on
  int first = 0, count = 0;

  template <Operation operation, class T>
  void run(char* to, const char* value, int axis) const {
    if (axis == target.ndim) {
      T* element = reinterpret_cast<T*>(to);
      *element = combine<operation>(*element, *reinterpret_cast<const T*>(value));
      return;
    }
    if (offsets && axis == first) return looked<operation, T>(to, value, axis, 0);
    const int64_t n = target.dims[axis], stride = target.strides[axis], step = steps[axis];
    if (axis == target.ndim - 1) {
      for (int64_t i = 0; i < n; ++i, to += stride, value += step) {
        T* element = reinterpret_cast<T*>(to);
        *element = combine<operation>(*element, *reinterpret_cast<const T*>(value));
      }
      return;
    }
    for (int64_t i = 0; i < n; ++i) run<operation, T>(to + i * stride, value + i * step, axis + 1);
  }

  // The axes of the index arrays: offsets are in the order of their elements.
  template <Operation operation, class T>
  void looked(char* to, const char* value, int axis, int64_t place) const {
    if (axis == first + count) {
      char* element = to + (*offsets)[static_cast<size_t>(place)];
      if (axis == target.ndim) {
        T* at = reinterpret_cast<T*>(element);
        *at = combine<operation>(*at, *reinterpret_cast<const T*>(value));
      } else {
        run<operation, T>(element, value, axis);
      }
      return;
    }
    const int64_t n = target.dims[axis];
    if (axis == first + count - 1 && axis + 1 == target.ndim) {
      const int64_t* at = offsets->data() + place * n;
      for (int64_t i = 0; i < n; ++i, value += steps[axis]) {
        T* element = reinterpret_cast<T*>(to + at[i]);
        *element = combine<operation>(*element, *reinterpret_cast<const T*>(value));
      }
      return;
    }
    for (int64_t i = 0; i < n; ++i)
      looked<operation, T>(to, value + i * steps[axis], axis + 1, place * n + i);
  }
};

struct Sixteen {
  uint64_t words[2];
};

template <Operation operation>
bool by_type(const Walk& walk, int code, char* to, const char* value) {
  const auto run = [&](auto element) {
    walk.run<operation, decltype(element)>(to, value, 0);
    return true;
  };
  if constexpr (operation == Operation::kSet) {
    switch (dtypes[code].itemsize) {
      case 1: return run(uint8_t{});
      case 2: return run(uint16_t{});
      case 4: return run(uint32_t{});
      case 8: return run(uint64_t{});
      default: return run(Sixteen{});
    }
  } else {
    return by_element<kWithComplex>(code, false, run);
  }
}

// --- values

// Whether a Python number next to an array of this dtype takes its dtype.
bool adopts(int code, PyObject* value) {
  if (PyBool_Check(value)) return code <= kComplex128;
  if (PyLong_CheckExact(value)) return code >= kInt8 && code <= kComplex128;
  if (PyFloat_CheckExact(value)) return code >= kFloat16 && code <= kComplex128;
  return PyComplex_CheckExact(value) && (code == kComplex64 || code == kComplex128);
}

// Fills in the steps of values of these dims over the target; false where they do not broadcast.
bool broadcast(Walk* walk, int ndim, const int64_t* dims, int itemsize) {
  const int shift = walk->target.ndim - ndim;
  if (shift < 0) return false;
  std::fill_n(walk->steps, shift, 0);
  int64_t step = itemsize;
  for (int d = ndim; d-- > 0;) {
    if (dims[d] != 1 && dims[d] != walk->target.dims[shift + d]) return false;
    walk->steps[shift + d] = dims[d] == 1 ? 0 : step;
    step *= dims[d];
  }
  return true;
}

PyObject* updated(Array* x, PyObject* index, PyObject* value, Operation operation) {
  if (!x->buffer || x->code == kKey) return nullptr;
  alignas(16) char number[16];
  const char* values = number;
  Array* array = is_array(value) ? as_array(value) : nullptr;
  if (array) {
    if (array->code != x->code || !array->buffer) return nullptr;
    if (!array_check(array)) return nullptr;
    values = array->data;
  } else if (!adopts(x->code, value) || write_scalar(value, x->code, number) != 1) {
    return nullptr;
  }
  const int itemsize = dtypes[x->code].itemsize;
  Array* result = array_new(x->code, x->weak, x->ndim, x->dims);
  if (!result) return nullptr;
  const Owned held(as_object(result));
  copy_part(result->data, whole(x), itemsize);

  Walk walk;
  Selection selection;
  const int basic = basic_part(result, index, &walk.target);
  if (basic < 0) return nullptr;
  if (basic == 0) {
    walk.target = Part();
    if (select_elements(result, index, &selection) != 1) return nullptr;
    const Part& before = selection.before;
    walk.target = before;
    walk.first = before.ndim;
    walk.count = selection.ndim;
    if (selection.ndim == 0) {
      walk.target.start += selection.offsets[0];
    } else {
      walk.offsets = &selection.offsets;
    }
    for (int d = 0; d < selection.ndim; ++d)
      if (!walk.target.push(selection.dims[d], 0)) return nullptr;
    for (int d = 0; d < selection.after.ndim; ++d)
      if (!walk.target.push(selection.after.dims[d], selection.after.strides[d])) return nullptr;
  }
  if (!broadcast(&walk, array ? array->ndim : 0, array ? array->dims : nullptr, itemsize))
    return nullptr;
  for (int d = 0; d < walk.target.ndim; ++d)
    if (walk.target.dims[d] == 0) return Py_NewRef(held.get());
  char* to = const_cast<char*>(walk.target.start);
  const bool done = operation == Operation::kSet
                        ? by_type<Operation::kSet>(walk, x->code, to, values)
                    : operation == Operation::kAdd
                        ? by_type<Operation::kAdd>(walk, x->code, to, values)
                        : by_type<Operation::kMultiply>(walk, x->code, to, values);
  return done ? Py_NewRef(held.get()) : nullptr;
}

// x.at[index].set(value) with no options.
template <Operation operation>
PyObject* update(PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  if (count != 2 || (keywords && PyTuple_GET_SIZE(keywords) > 0)) return nullptr;
  if (!PyObject_TypeCheck(args[0], update_base)) return nullptr;
  const IndexUpdate* self = as_update(args[0]);
  return is_array(self->array) ? updated(as_array(self->array), self->index, args[1], operation)
                               : nullptr;
}

// x.at
PyObject* at(PyObject* const* args, Py_ssize_t count, PyObject*) {
  if (count != 1 || !at_type) return nullptr;
  PyObject* self = at_type->tp_alloc(at_type, 0);
  if (self) as_at(self)->array = Py_NewRef(args[0]);
  return self;
}

// --- the types

PyObject* new_at(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"array", nullptr};
  PyObject* array;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:At", const_cast<char**>(names), &array))
    return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self) as_at(self)->array = Py_NewRef(array);
  return self;
}

PyObject* make_update(PyTypeObject* type, PyObject* array, PyObject* index) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self) {
    as_update(self)->array = Py_NewRef(array);
    as_update(self)->index = Py_NewRef(index);
  }
  return self;
}

PyObject* new_update(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"array", "index", nullptr};
  PyObject *array, *index;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:IndexUpdate", const_cast<char**>(names),
                                   &array, &index))
    return nullptr;
  return make_update(type, array, index);
}

PyObject* at_item(PyObject* self, PyObject* index) {
  if (!update_type) {
    PyErr_SetString(PyExc_RuntimeError, "At: needs set_update_types first");
    return nullptr;
  }
  return make_update(update_type, as_at(self)->array, index);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_at(self)->array);
  if (PyObject_TypeCheck(self, update_base)) Py_VISIT(as_update(self)->index);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(as_at(self)->array);
  if (PyType_IsSubtype(type, update_base)) Py_XDECREF(as_update(self)->index);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef at_members[] = {{"array", Py_T_OBJECT_EX, offsetof(At, array), Py_READONLY, nullptr},
                            {}};
PyMemberDef update_members[] = {
    {"array", Py_T_OBJECT_EX, offsetof(IndexUpdate, array), Py_READONLY, nullptr},
    {"index", Py_T_OBJECT_EX, offsetof(IndexUpdate, index), Py_READONLY, nullptr},
    {}};

struct Entry {
  std::string_view name;
  ShortcutFunction function;
};
constexpr Entry entries[] = {{"at", at},
                             {"at_set", update<Operation::kSet>},
                             {"at_add", update<Operation::kAdd>},
                             {"at_multiply", update<Operation::kMultiply>}};

}  // namespace

ShortcutFunction find_update_shortcut(const char* name) {
  const auto found = std::find_if(std::begin(entries), std::end(entries),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(entries) ? nullptr : found->function;
}

bool set_update_types(PyObject* at, PyObject* update) {
  if (!PyType_Check(at) || !PyType_Check(update) ||
      !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(update), update_base)) {
    PyErr_SetString(PyExc_TypeError, "set_update_types: needs classes derived from the bases");
    return false;
  }
  at_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(at));
  update_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(update));
  return true;
}

bool update_ready(PyObject* module) {
  static PyType_Slot at_slots[] = {{Py_tp_doc, const_cast<char*>("Base of x.at.")},
                                   {Py_tp_new, reinterpret_cast<void*>(new_at)},
                                   {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                                   {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                   {Py_mp_subscript, reinterpret_cast<void*>(at_item)},
                                   {Py_tp_members, at_members},
                                   {0, nullptr}};
  static PyType_Slot update_slots[] = {{Py_tp_doc, const_cast<char*>("Base of x.at[index].")},
                                       {Py_tp_new, reinterpret_cast<void*>(new_update)},
                                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                       {Py_tp_members, update_members},
                                       {0, nullptr}};
  constexpr unsigned flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
  static PyType_Spec at_spec = {"vires._native.At", sizeof(At), 0, flags, at_slots};
  static PyType_Spec update_spec = {"vires._native.IndexUpdate", sizeof(IndexUpdate), 0, flags,
                                    update_slots};
  const Owned at_base(PyType_FromSpec(&at_spec));
  update_base = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&update_spec));
  return at_base && update_base && PyModule_AddObjectRef(module, "At", at_base.get()) == 0 &&
         PyModule_AddObjectRef(module, "IndexUpdate",
                               reinterpret_cast<PyObject*>(update_base)) == 0;
}

}  // namespace vires

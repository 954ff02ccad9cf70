#include "signature.h"

#include "context.h"
#include "key_order.h"
#include "numpy_value.h"
#include "operators.h"

namespace vires {
namespace {

enum Tag : uint64_t {
  kArrayTag = 1, kNoneTag, kTupleTag, kListTag, kDictTag, kStaticTag, kTreeTag, kKeywordsTag,
};

constexpr uint64_t with_count(uint64_t tag, Py_ssize_t count) {
  return tag | static_cast<uint64_t>(count) << 8;
}

}  // namespace

bool StaticArguments::position(Py_ssize_t i, Py_ssize_t count) const {
  for (Py_ssize_t place : positions)
    if (place == i || place + count == i) return true;
  return false;
}

int StaticArguments::name(PyObject* keyword) const {
  for (const Owned& name : names) {
    if (name.get() == keyword) return 1;
    const int equal = PyObject_RichCompareBool(name.get(), keyword, Py_EQ);
    if (equal) return equal;
  }
  return 0;
}

void Signature::array(PyObject* stolen, int lone) {
  const Array* array = as_array(stolen);
  words.push(kArrayTag | uint64_t{array->code} << 8 | uint64_t{array->weak} << 16 |
             uint64_t{array->ndim} << 24);
  for (int i = 0; i < array->ndim; ++i) words.push(static_cast<uint64_t>(array->dims[i]));
  leaves.push(stolen);
  lone_.push(static_cast<uint8_t>(lone));
}

// A static argument or a treedef: by hash here, by `==` when the words agree.
Reading Signature::fixed(PyObject* object) {
  const Py_hash_t hash = PyObject_Hash(object);
  if (hash == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return Reading::kError;
    PyErr_Clear();
    return Reading::kTrace;
  }
  words.push(static_cast<uint64_t>(hash));
  words.push(reinterpret_cast<uint64_t>(Py_TYPE(object)));
  objects.push(object);
  return Reading::kDone;
}

Reading Signature::sequence(PyObject* object, uint64_t tag) {
  words.push(with_count(tag, PySequence_Fast_GET_SIZE(object)));
  // Conversion of a leaf runs Python code, which might change the list: look at its size each time.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    const Owned item = Owned::borrow(PySequence_Fast_GET_ITEM(object, i));
    const Reading result = value(item.get());
    if (result != Reading::kDone) return result;
  }
  return Reading::kDone;
}

Reading Signature::dict(PyObject* object) {
  StackVector<PyObject*, 64> keys;
  References<64> values;
  PyObject *key, *item;
  Py_ssize_t position = 0;
  while (PyDict_Next(object, &position, &key, &item)) {
    keys.push(key);
    values.push(Py_NewRef(item));
  }
  StackVector<PyObject*, 64> sorted;
  {
    const KeyOrder* order = key_order(keys.data(), keys.size());
    if (!order) return PyErr_Occurred() ? Reading::kError : other(object);
    words.push(with_count(kDictTag, static_cast<Py_ssize_t>(keys.size())));
    words.push(order->identity);
    for (uint32_t place : order->sorted) sorted.push(values[place]);
  }
  for (PyObject* entry : sorted) {
    const Reading result = value(entry);
    if (result != Reading::kDone) return result;
  }
  return Reading::kDone;
}

// An array, a Python number, or what the converter makes an array of; kTrace for anything else.
Reading Signature::leaf(PyObject* object) {
  if (is_array(object)) {
    array(Py_NewRef(object), 0);
    return Reading::kDone;
  }
  const int code = scalar_code(Py_TYPE(object));
  if (code >= 0) {
    PyObject* made = array_from_scalar(object, code, code != kBool);
    if (!made) return PyErr_Occurred() ? Reading::kError : Reading::kTrace;
    array(made, 1);
    return Reading::kDone;
  }
  const int numpy = numpy_code(object);
  if (numpy >= 0) {
    PyObject* made = array_from_numpy_value(object, numpy);
    if (!made) return Reading::kError;
    array(made, 1);
    return Reading::kDone;
  }
  if (PyArray_Check(object) || PyArray_CheckScalar(object)) {
    if (!converter) return Reading::kTrace;
    Owned made(PyObject_CallOneArg(converter, object));
    if (!made) return Reading::kError;
    if (!is_array(made.get())) return Reading::kTrace;
    array(made.release(), 1);
    return Reading::kDone;
  }
  return Reading::kTrace;
}

// A node that the registered flattener knows, or else something for Python.
Reading Signature::other(PyObject* object) {
  if (!flattener || is_registered_operand(Py_TYPE(object))) return Reading::kTrace;
  PyObject* flat = PyObject_CallOneArg(flattener, object);
  owned_.push(flat);
  if (!flat) return Reading::kError;
  if (flat == Py_None) return Reading::kTrace;
  if (!PyTuple_Check(flat) || PyTuple_GET_SIZE(flat) != 2) {
    PyErr_Format(PyExc_TypeError, "flattener: needs (leaves, treedef) or None; got %R", flat);
    return Reading::kError;
  }
  PyObject* list = PySequence_Fast(PyTuple_GET_ITEM(flat, 0), "flattener: needs leaves");
  owned_.push(list);
  if (!list) return Reading::kError;
  words.push(with_count(kTreeTag, PySequence_Fast_GET_SIZE(list)));
  const Reading tree = fixed(PyTuple_GET_ITEM(flat, 1));
  if (tree != Reading::kDone) return tree;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); ++i) {
    const Reading result = leaf(PySequence_Fast_GET_ITEM(list, i));
    if (result != Reading::kDone) return result;
  }
  return Reading::kDone;
}

Reading Signature::value(PyObject* object) {
  if (is_array(object)) {
    array(Py_NewRef(object), 0);
    return Reading::kDone;
  }
  PyTypeObject* type = Py_TYPE(object);
  if (object == Py_None) {
    words.push(kNoneTag);
    return Reading::kDone;
  }
  const bool is_list = type == &PyList_Type, is_tuple = type == &PyTuple_Type;
  if (is_list || is_tuple || type == &PyDict_Type) {
    if (Py_EnterRecursiveCall(" while flattening arguments")) return Reading::kError;
    const Reading result =
        type == &PyDict_Type ? dict(object) : sequence(object, is_list ? kListTag : kTupleTag);
    Py_LeaveRecursiveCall();
    return result;
  }
  if (scalar_code(type) >= 0 || PyArray_Check(object) || PyArray_CheckScalar(object))
    return leaf(object);
  return other(object);
}

Reading Signature::argument(PyObject* object, bool is_static) {
  if (is_static) {
    words.push(kStaticTag);
    return fixed(object);
  }
#if PY_VERSION_HEX >= 0x030E0000
  // A temporary of the caller's expression. Before 3.14 nothing tells it from an item of f(*items).
  if (is_array(object) && PyUnstable_Object_IsUniqueReferencedTemporary(object)) {
    array(Py_NewRef(object), 2);
    return Reading::kDone;
  }
#endif
  return value(object);
}

Reading Signature::read(const StaticArguments& statics, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords) {
  words.push(static_cast<uint64_t>(context.key()));
  words.push(static_cast<uint64_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Reading result = argument(args[i], !statics.positions.empty() && statics.position(i, count));
    if (result != Reading::kDone) return result;
  }
  const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (named == 0) return Reading::kDone;
  StackVector<uint32_t, 32> sorted;
  {
    const KeyOrder* order =
        key_order(PySequence_Fast_ITEMS(keywords), static_cast<size_t>(named));
    if (!order) return PyErr_Occurred() ? Reading::kError : Reading::kTrace;
    words.push(with_count(kKeywordsTag, named));
    words.push(order->identity);
    for (uint32_t place : order->sorted) sorted.push(place);
  }
  for (uint32_t place : sorted) {
    const int fix = statics.names.empty() ? 0 : statics.name(PyTuple_GET_ITEM(keywords, place));
    if (fix < 0) return Reading::kError;
    const Reading result = argument(args[count + place], fix == 1);
    if (result != Reading::kDone) return result;
  }
  return Reading::kDone;
}

}  // namespace vires

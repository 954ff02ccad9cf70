#include "key_order.h"

#include <memory>

#include "hash.h"

namespace vires {
namespace {

constexpr size_t kSlots = 1024;
constexpr Py_ssize_t kIdentities = 4096;

// Never destroyed: they hold Python references.
std::unique_ptr<KeyOrder>* const slots = new std::unique_ptr<KeyOrder>[kSlots];
PyObject* identities = nullptr;  // dict: tuple of sorted keys -> number
uint64_t next_identity = 1;

uint64_t identity_of(PyObject* sorted) {
  if (!identities && !(identities = PyDict_New())) return 0;
  if (PyObject* found = PyDict_GetItemWithError(identities, sorted))
    return PyLong_AsUnsignedLongLong(found);
  if (PyErr_Occurred()) return 0;
  if (PyDict_GET_SIZE(identities) >= kIdentities) PyDict_Clear(identities);
  const Owned number(PyLong_FromUnsignedLongLong(next_identity));
  if (!number || PyDict_SetItem(identities, sorted, number.get()) < 0) return 0;
  return next_identity++;
}

std::unique_ptr<KeyOrder> sort_keys(PyObject* const* keys, size_t count, uint64_t hash) {
  const Owned list(PyList_New(static_cast<Py_ssize_t>(count)));
  const Owned places(PyDict_New());
  if (!list || !places) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), Py_NewRef(keys[i]));
    const Owned place(PyLong_FromSize_t(i));
    if (!place || PyDict_SetItem(places.get(), keys[i], place.get()) < 0) return nullptr;
  }
  if (PyList_Sort(list.get()) < 0) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear();
    return nullptr;
  }
  auto order = std::make_unique<KeyOrder>();
  for (size_t i = 0; i < count; ++i) {
    PyObject* key = PyList_GET_ITEM(list.get(), static_cast<Py_ssize_t>(i));
    PyObject* place = PyDict_GetItemWithError(places.get(), key);
    if (!place) return nullptr;
    order->sorted.push_back(static_cast<uint32_t>(PyLong_AsUnsignedLong(place)));
  }
  const Owned tuple(PyList_AsTuple(list.get()));
  order->identity = tuple ? identity_of(tuple.get()) : 0;
  if (!order->identity) return nullptr;
  order->hash = hash;
  for (size_t i = 0; i < count; ++i) order->keys.push_back(Py_NewRef(keys[i]));
  return order;
}

}  // namespace

const KeyOrder* key_order(PyObject* const* keys, size_t count) {
  const uint64_t hash = hash_words(reinterpret_cast<const uint64_t*>(keys), count);
  std::unique_ptr<KeyOrder>& slot = slots[hash % kSlots];
  if (slot && slot->hash == hash && slot->keys.size() == count &&
      (count == 0 || std::memcmp(slot->keys.data(), keys, count * sizeof(PyObject*)) == 0))
    return slot.get();
  std::unique_ptr<KeyOrder> order = sort_keys(keys, count, hash);
  if (!order) return nullptr;
  std::unique_ptr<KeyOrder> old = std::exchange(slot, std::move(order));
  const KeyOrder* result = slot.get();
  if (old)
    for (PyObject* key : old->keys) Py_DECREF(key);
  return result;
}

}  // namespace vires

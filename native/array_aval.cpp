// Abstract values of arrays: made by a Python factory, once for each shape, dtype and weak type.
#include <string>
#include <unordered_map>

#include "array.h"

namespace vires {
namespace {

constexpr size_t kLimit = 4096;

PyObject* factory = nullptr;

// Never destroyed: its references must not be dropped after the interpreter is gone.
std::unordered_map<std::string, PyObject*>& table() {
  static auto* instance = new std::unordered_map<std::string, PyObject*>;
  return *instance;
}

void clear() {
  std::unordered_map<std::string, PyObject*> old;
  old.swap(table());
  for (auto& entry : old) Py_DECREF(entry.second);
}

}  // namespace

PyObject* set_aval_factory(PyObject* callable) {
  clear();
  return std::exchange(factory, callable);
}

PyObject* array_aval(Array* array) {
  if (array->aval) return Py_NewRef(array->aval);
  std::string key(reinterpret_cast<const char*>(array->dims), array->ndim * sizeof(int64_t));
  key += static_cast<char>(array->code);
  key += static_cast<char>(array->weak);
  const auto found = table().find(key);
  if (found != table().end()) {
    array->aval = Py_NewRef(found->second);
    return Py_NewRef(found->second);
  }
  if (!factory) {
    PyErr_SetString(PyExc_RuntimeError, "aval: needs a factory; call set_aval_factory first");
    return nullptr;
  }
  const Owned shape(shape_tuple(array));
  if (!shape) return nullptr;
  PyObject* arguments[] = {shape.get(), dtypes[array->code].object,
                           array->weak ? Py_True : Py_False};
  PyObject* aval = PyObject_Vectorcall(factory, arguments, 3, nullptr);
  if (!aval) return nullptr;
  if (table().size() >= kLimit) clear();
  auto [place, fresh] = table().emplace(std::move(key), aval);
  if (fresh) Py_INCREF(aval);
  Py_XSETREF(array->aval, Py_NewRef(aval));
  return aval;
}

}  // namespace vires

#include "elementwise_kernel.h"

namespace vires {

PyTypeObject* elementwise_kernel_type = nullptr;

namespace {

ElementwiseKernel* as_kernel(PyObject* self) { return reinterpret_cast<ElementwiseKernel*>(self); }

bool read_outputs(PyObject* list, std::vector<ElementwiseKernel::Output>* outputs) {
  const Owned items(PySequence_Fast(list, "ElementwiseKernel: needs a list of outputs"));
  if (!items) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.get());
  if (count < 1 || count > kMaxOutputs) {
    PyErr_Format(PyExc_ValueError, "ElementwiseKernel: needs 1 to %d outputs; got %zd",
                 kMaxOutputs, count);
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    int code, weak;
    if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items.get(), i), "ip", &code, &weak) ||
        !check_code(code))
      return false;
    outputs->push_back({code, weak != 0});
  }
  return true;
}

bool read_scalar_codes(PyObject* list, std::vector<int>* codes) {
  const Owned items(PySequence_Fast(list, "ElementwiseKernel: needs a list of scalar codes"));
  if (!items) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.get());
  if (count < 1 || count > kMaxInputs) {
    PyErr_Format(PyExc_ValueError, "ElementwiseKernel: needs 1 to %d inputs; got %zd", kMaxInputs,
                 count);
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(items.get(), i);
    long code = -1;
    if (item != Py_None) {
      code = PyLong_AsLong(item);
      if (code == -1 && PyErr_Occurred()) return false;
      if (!check_code(static_cast<int>(code))) return false;
    }
    codes->push_back(static_cast<int>(code));
  }
  return true;
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"outputs", "scalar_codes", "variant", "keepalive", nullptr};
  PyObject *outputs, *scalar_codes, *variant, *keepalive = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|O:ElementwiseKernel",
                                   const_cast<char**>(names), &outputs, &scalar_codes, &variant,
                                   &keepalive))
    return nullptr;
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  ElementwiseKernel* kernel = as_kernel(self.get());
  kernel->keepalive = Py_NewRef(keepalive);
  kernel->variant = Py_NewRef(variant);
  kernel->outputs = new std::vector<ElementwiseKernel::Output>;
  kernel->scalar_codes = new std::vector<int>;
  if (!read_outputs(outputs, kernel->outputs) ||
      !read_scalar_codes(scalar_codes, kernel->scalar_codes))
    return nullptr;
  kernel->functions = new std::vector<ElementwiseFunction>(size_t{1} << kernel->scalar_codes->size());
  return Py_NewRef(self.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_kernel(self)->keepalive);
  Py_VISIT(as_kernel(self)->variant);
  return 0;
}

// `keepalive` owns the machine code and stays to the end.
int clear(PyObject* self) {
  Py_CLEAR(as_kernel(self)->variant);
  return 0;
}

void dealloc(PyObject* self) {
  ElementwiseKernel* kernel = as_kernel(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  Py_CLEAR(kernel->keepalive);
  delete kernel->outputs;
  delete kernel->scalar_codes;
  delete kernel->functions;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

ElementwiseFunction kernel_function(ElementwiseKernel* kernel, unsigned mask) {
  ElementwiseFunction& known = (*kernel->functions)[mask];
  if (known) [[likely]] return known;
  if (!kernel->variant) {
    PyErr_SetString(PyExc_RuntimeError, "ElementwiseKernel: used while it is being destroyed");
    return nullptr;
  }
  const Owned address(PyObject_CallFunction(kernel->variant, "I", mask));
  if (!address) return nullptr;
  void* pointer = PyLong_AsVoidPtr(address.get());
  if (!pointer && !PyErr_Occurred())
    PyErr_SetString(PyExc_ValueError, "ElementwiseKernel: needs an address from variant; got 0");
  return known = reinterpret_cast<ElementwiseFunction>(pointer);
}

bool elementwise_kernel_ready(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Machine code of an elementwise operation.")},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {0, nullptr}};
  static PyType_Spec spec = {"vires._native.ElementwiseKernel", sizeof(ElementwiseKernel), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  elementwise_kernel_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return elementwise_kernel_type &&
         PyModule_AddObjectRef(module, "ElementwiseKernel",
                               reinterpret_cast<PyObject*>(elementwise_kernel_type)) == 0;
}

}  // namespace vires

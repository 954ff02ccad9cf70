// DLPack: arrays for other libraries, without a copy. The structs are the public DLPack 1.0 layout.
#include "array.h"

namespace vires {
namespace {

struct DLDevice {
  int32_t device_type;
  int32_t device_id;
};
struct DLDataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};

constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1, kIsCopied = 2;

template <class Managed>
struct Exported {
  Managed managed;
  Buffer* buffer;
  int64_t dims[kMaxDims];
  int64_t strides[kMaxDims];
};

// The consumer may call this from any thread, with or without the GIL.
template <class Managed>
void release(Managed* managed) {
  const PyGILState_STATE state = PyGILState_Ensure();
  auto* exported = static_cast<Exported<Managed>*>(managed->context);
  Py_DECREF(exported->buffer);
  delete exported;
  PyGILState_Release(state);
}

template <class Managed>
constexpr const char* kName =
    sizeof(Managed) == sizeof(DLManagedTensorVersioned) ? "dltensor_versioned" : "dltensor";

// Only called for a capsule that nobody consumed: a consumer renames it.
template <class Managed>
void drop(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kName<Managed>)) return;
  release(static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName<Managed>)));
}

bool element_type(int code, DLDataType* type) {
  static const DLDataType types[] = {
      {6, 8, 1},  {0, 8, 1},  {0, 16, 1}, {0, 32, 1}, {0, 64, 1}, {1, 8, 1},  {1, 16, 1}, {1, 32, 1},
      {1, 64, 1}, {2, 16, 1}, {4, 16, 1}, {2, 32, 1}, {2, 64, 1}, {5, 64, 1}, {5, 128, 1}};
  if (code > kComplex128) return false;
  *type = types[code];
  return true;
}

template <class Managed>
PyObject* capsule_of(Array* array, DLDataType type) {
  auto* exported = new Exported<Managed>{};
  int64_t stride = 1;
  for (int i = array->ndim - 1; i >= 0; --i) {
    exported->dims[i] = array->dims[i];
    exported->strides[i] = stride;
    stride *= array->dims[i];
  }
  exported->buffer = array->buffer;
  Py_INCREF(array->buffer);
  Managed& managed = exported->managed;
  managed.tensor = {array->data, {kCpu, 0}, array->ndim, type,
                    exported->dims, exported->strides, 0};
  managed.context = exported;
  managed.deleter = release<Managed>;
  PyObject* capsule = PyCapsule_New(&managed, kName<Managed>, drop<Managed>);
  if (!capsule) release(&managed);
  return capsule;
}

PyObject* dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char**>(names),
                                   &stream, &version, &device, &copy))
    return nullptr;
  Array* array = as_array(self);
  if (!array_check(array)) return nullptr;
  if (stream != Py_None) {
    PyErr_Format(PyExc_BufferError, "__dlpack__: needs stream=None on the CPU; got %R", stream);
    return nullptr;
  }
  if (device != Py_None) {
    int type = 0, id = 0;
    if (!PyArg_ParseTuple(device, "ii", &type, &id)) return nullptr;
    if (type != kCpu || id != 0) {
      PyErr_Format(PyExc_BufferError, "__dlpack__: needs the CPU device (1, 0); got %R", device);
      return nullptr;
    }
  }
  DLDataType type;
  if (!element_type(array->code, &type)) {
    const Owned label = array_label(array);
    if (label)
      PyErr_Format(PyExc_BufferError, "__dlpack__: DLPack has no element type for %U",
                   label.get());
    return nullptr;
  }
  const int wants_copy = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (wants_copy < 0) return nullptr;
  Owned copied;
  if (wants_copy) {
    Array* fresh = array_new(array->code, array->weak, array->ndim, array->dims);
    if (!fresh) return nullptr;
    copied = Owned(as_object(fresh));
    std::memcpy(fresh->data, array->data, static_cast<size_t>(array->nbytes()));
    array = fresh;
  }
  long major = 0;
  if (version != Py_None) {
    PyObject* first = PyTuple_Check(version) && PyTuple_GET_SIZE(version) == 2
                          ? PyTuple_GET_ITEM(version, 0) : version;
    major = PyLong_AsLong(first);
    if (major == -1 && PyErr_Occurred()) return nullptr;
  }
  if (major < 1) return capsule_of<DLManagedTensor>(array, type);
  PyObject* capsule = capsule_of<DLManagedTensorVersioned>(array, type);
  if (!capsule) return nullptr;
  auto* managed = static_cast<DLManagedTensorVersioned*>(
      PyCapsule_GetPointer(capsule, kName<DLManagedTensorVersioned>));
  managed->major = 1;
  managed->minor = 0;
  managed->flags = wants_copy ? kIsCopied : kReadOnly;
  return capsule;
}

PyObject* dlpack_device(PyObject*, PyObject*) { return Py_BuildValue("(ii)", kCpu, 0); }

}  // namespace

PyMethodDef array_dlpack_methods[] = {
    {"__dlpack__", reinterpret_cast<PyCFunction>(dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None): a DLPack capsule."},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, "(1, 0): the CPU."},
    {}};

}  // namespace vires

// The signature of a call: which compiled program serves these arguments.
#pragma once

#include <vector>

#include "array.h"

namespace vires {

struct StaticArguments {
  std::vector<Py_ssize_t> positions;
  std::vector<Owned> names;

  // Negative positions count from the end of the `count` positional arguments.
  bool position(Py_ssize_t i, Py_ssize_t count) const;
  // 1, 0, or -1 with an exception.
  int name(PyObject* keyword) const;
};

enum class Reading {
  kDone,
  kTrace,  // something in the arguments needs Python: a tracer, an unhashable static argument
  kError,  // Python exception
};

class Signature {
 public:
  Signature() = default;
  Signature(const Signature&) = delete;
  Signature& operator=(const Signature&) = delete;

  Reading read(const StaticArguments& statics, PyObject* const* args, Py_ssize_t count,
               PyObject* keywords);

  // The structure and the types, then what must be compared by `==` (static arguments, treedefs).
  StackVector<uint64_t, 64> words;
  StackVector<PyObject*, 8> objects;
  // The dynamic leaves, Arrays all, in the order of the flattened (args, kwargs). They are held:
  // compiling runs Python code, which may empty the containers they came in.
  References<32> leaves;
  // Whether nobody but this call sees leaf i.
  bool unique(size_t i) const {
    return lone_[i] != 0 && Py_REFCNT(leaves[i]) == lone_[i];
  }

 private:
  Reading value(PyObject* object);
  Reading argument(PyObject* object, bool is_static);
  Reading leaf(PyObject* object);
  Reading other(PyObject* object);
  Reading dict(PyObject* object);
  Reading sequence(PyObject* object, uint64_t tag);
  Reading fixed(PyObject* object);
  void array(PyObject* stolen, int lone);

  // The reference count of a leaf that only this call sees; 0 where others may.
  StackVector<uint8_t, 32> lone_;
  References<8> owned_;
};

}  // namespace vires

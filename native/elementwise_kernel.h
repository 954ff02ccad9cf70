// vires._native.ElementwiseKernel: machine code of an eager operation for given element types.
#pragma once

#include <vector>

#include "elementwise.h"

namespace vires {

struct ElementwiseKernel {
  PyObject_HEAD
  PyObject* keepalive;
  PyObject* variant;  // callable: mask -> address
  struct Output {
    int code;
    bool weak;
  };
  std::vector<Output>* outputs;
  std::vector<int>* scalar_codes;                   // for each input; -1: an array
  std::vector<ElementwiseFunction>* functions;      // by mask, null until asked for
};

extern PyTypeObject* elementwise_kernel_type;
bool elementwise_kernel_ready(PyObject* module);

// The code for a mask; null with an exception.
ElementwiseFunction kernel_function(ElementwiseKernel* kernel, unsigned mask);

}  // namespace vires

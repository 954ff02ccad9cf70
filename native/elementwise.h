// Runs a one-dimensional kernel over broadcast operands.
#pragma once

#include "array.h"

namespace vires {

constexpr int kMaxInputs = 7;
constexpr int kMaxOutputs = 4;

// pointers: outputs, then inputs.
using ElementwiseFunction = void (*)(void** pointers, int64_t n);

struct Operand {
  const char* data;
  int itemsize;
  int ndim;
  const int64_t* dims;
};

// The broadcast shape; -1 when the shapes do not fit together, else the number of axes.
int broadcast_shape(const Operand* operands, int count, int64_t* dims);

// The loops over operands of one broadcast shape: axes that can be walked as one are merged, and
// axis 0 is the innermost.
struct LoopNest {
  int ndim = 0;
  int64_t lengths[kMaxDims];
  int64_t strides[kMaxInputs][kMaxDims];  // in elements; innermost 0 or 1
  int64_t size = 1;

  LoopNest(const Operand* inputs, int count, const int64_t* dims, int ndim);
  // Bit i: input i is one element all along the innermost axis.
  unsigned mask(int count) const;
};

// Runs `kernel` (of the nest's mask) over the nest; large ones on all threads, with the GIL
// released.
void run_nest(const LoopNest& nest, ElementwiseFunction kernel, char* const* outputs,
              const int* output_itemsizes, int output_count, const Operand* inputs,
              int input_count);

}  // namespace vires

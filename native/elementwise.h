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
  bool scalar;  // a Python number: one element, whatever the shape
};

// The broadcast shape; -1 when the shapes do not fit together, else the number of axes.
int broadcast_shape(const Operand* operands, int count, int64_t* dims);

// The loops over operands of one broadcast shape: axes that can be walked as one are merged, and
// axis 0 is the innermost. Where the innermost axes are short, calls for each of their rows would
// cost more than the arithmetic: these axes are folded into a pattern of a few elements, and
// operands that are not contiguous over many patterns are copied, a block at a time.
struct LoopNest {
  static constexpr int kPattern = 32;  // a row of so many elements is long enough for a call

  int ndim = 0;
  int64_t lengths[kMaxDims];
  int64_t strides[kMaxInputs][kMaxDims];  // in elements; innermost 0 or 1
  int64_t size = 1;
  int folded = 0;                         // axes 0 .. folded-1 form the pattern; 0: no folding
  int64_t pattern = 1;                    // elements of the pattern
  int64_t offsets[kMaxInputs][kPattern];  // of the pattern's elements, in elements

  LoopNest(const Operand* inputs, int count, const int64_t* dims, int ndim);

  // Bit i: input i is one element all along a call of the kernel.
  unsigned mask(int count) const;
  // Input i needs no copy over many patterns.
  bool contiguous(int i) const;
  bool constant(int i) const;

 private:
  void fold(int count);
};

// Runs `kernel` (of the nest's mask) over the nest; large ones on all threads, with the GIL
// released.
void run_nest(const LoopNest& nest, ElementwiseFunction kernel, char* const* outputs,
              const int* output_itemsizes, int output_count, const Operand* inputs,
              int input_count);

}  // namespace vires

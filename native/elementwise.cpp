#include "elementwise.h"

#include <algorithm>

#include "threads.h"

namespace vires {
namespace {

constexpr int64_t kThreaded = 256 * 1024;   // elements; below this one thread is faster
constexpr int64_t kChunkBytes = 128 * 1024; // about what a task touches

// Outputs are contiguous over the whole nest; inputs have strides.
struct Run {
  const LoopNest& nest;
  ElementwiseFunction kernel;
  char* const* outputs;
  const int* output_itemsizes;
  int output_count;
  const Operand* inputs;
  int input_count;
  int64_t rows_per_task;
  int64_t columns_per_task;
  int64_t column_tasks;

  // Rows first <= row < last, and of each the elements from `column` on, `n` of them.
  void rows(int64_t first, int64_t last, int64_t column, int64_t n) const {
    int64_t place[kMaxDims];
    int64_t rest = first;
    for (int d = 1; d < nest.ndim; ++d) {
      place[d] = rest % nest.lengths[d];
      rest /= nest.lengths[d];
    }
    const char* start[kMaxInputs];
    for (int i = 0; i < input_count; ++i) {
      int64_t offset = column * nest.strides[i][0];
      for (int d = 1; d < nest.ndim; ++d) offset += place[d] * nest.strides[i][d];
      start[i] = inputs[i].data + offset * inputs[i].itemsize;
    }
    for (int64_t row = first; row < last; ++row) {
      void* pointers[kMaxOutputs + kMaxInputs];
      for (int k = 0; k < output_count; ++k)
        pointers[k] = outputs[k] + (row * nest.lengths[0] + column) * output_itemsizes[k];
      for (int i = 0; i < input_count; ++i)
        pointers[output_count + i] = const_cast<char*>(start[i]);
      kernel(pointers, n);
      for (int d = 1; d < nest.ndim; ++d) {
        for (int i = 0; i < input_count; ++i)
          start[i] += nest.strides[i][d] * inputs[i].itemsize;
        if (++place[d] < nest.lengths[d]) break;
        for (int i = 0; i < input_count; ++i)
          start[i] -= nest.strides[i][d] * nest.lengths[d] * inputs[i].itemsize;
        place[d] = 0;
      }
    }
  }

  static void task(void* context, int64_t index) {
    const Run& run = *static_cast<const Run*>(context);
    const int64_t columns = run.nest.lengths[0];
    const int64_t all_rows = run.nest.size / columns;
    const int64_t first = index / run.column_tasks * run.rows_per_task;
    const int64_t column = index % run.column_tasks * run.columns_per_task;
    run.rows(first, std::min(first + run.rows_per_task, all_rows), column,
             std::min(run.columns_per_task, columns - column));
  }
};

}  // namespace

int broadcast_shape(const Operand* operands, int count, int64_t* dims) {
  int ndim = 0;
  for (int i = 0; i < count; ++i) ndim = std::max(ndim, operands[i].ndim);
  std::fill(dims, dims + ndim, 1);
  for (int i = 0; i < count; ++i) {
    const int shift = ndim - operands[i].ndim;
    for (int d = 0; d < operands[i].ndim; ++d) {
      const int64_t length = operands[i].dims[d];
      if (length == 1 || length == dims[shift + d]) continue;
      if (dims[shift + d] != 1) return -1;
      dims[shift + d] = length;
    }
  }
  return ndim;
}

LoopNest::LoopNest(const Operand* inputs, int count, const int64_t* dims, int shape_ndim) {
  int64_t running[kMaxInputs];
  std::fill(running, running + count, 1);
  for (int axis = shape_ndim - 1; axis >= 0; --axis) {
    const int64_t length = dims[axis];
    size *= length;
    int64_t here[kMaxInputs];
    for (int i = 0; i < count; ++i) {
      const int own = axis - (shape_ndim - inputs[i].ndim);
      const int64_t own_length = own < 0 ? 1 : inputs[i].dims[own];
      here[i] = own_length == 1 ? 0 : running[i];
      running[i] *= own_length;
    }
    if (length == 1) continue;
    bool merges = ndim > 0;
    for (int i = 0; merges && i < count; ++i)
      merges = here[i] == strides[i][ndim - 1] * lengths[ndim - 1];
    if (merges) {
      lengths[ndim - 1] *= length;
      continue;
    }
    lengths[ndim] = length;
    for (int i = 0; i < count; ++i) strides[i][ndim] = here[i];
    ++ndim;
  }
  if (ndim == 0) {
    ndim = 1;
    lengths[0] = 1;
    for (int i = 0; i < count; ++i) strides[i][0] = 1;
  }
}

unsigned LoopNest::mask(int count) const {
  unsigned bits = 0;
  for (int i = 0; i < count; ++i) bits |= (strides[i][0] == 0 ? 1u : 0u) << i;
  return bits;
}

void run_nest(const LoopNest& nest, ElementwiseFunction kernel, char* const* outputs,
              const int* output_itemsizes, int output_count, const Operand* inputs,
              int input_count) {
  if (nest.size == 0) return;
  const int64_t columns = nest.lengths[0], rows = nest.size / columns;
  Run run{nest, kernel, outputs, output_itemsizes, output_count, inputs, input_count,
          rows, columns, 1};
  if (nest.size <= kThreaded) return run.rows(0, rows, 0, columns);
  int bytes = 0;
  for (int k = 0; k < output_count; ++k) bytes += output_itemsizes[k];
  for (int i = 0; i < input_count; ++i) bytes += inputs[i].itemsize;
  const int64_t chunk = std::max<int64_t>(64, kChunkBytes / bytes / 64 * 64);
  run.columns_per_task = std::min(chunk, columns);
  run.column_tasks = (columns + run.columns_per_task - 1) / run.columns_per_task;
  run.rows_per_task = std::max<int64_t>(1, chunk / columns);
  const int64_t tasks =
      (rows + run.rows_per_task - 1) / run.rows_per_task * run.column_tasks;
  PyThreadState* state = PyEval_SaveThread();
  threads::parallel_for(Run::task, &run, tasks);
  PyEval_RestoreThread(state);
}

}  // namespace vires

#include "elementwise.h"

#include <algorithm>

#include "threads.h"

namespace vires {
namespace {

constexpr int64_t kThreaded = 256 * 1024;    // elements; below this one thread is faster
constexpr int64_t kChunkBytes = 128 * 1024;  // about what a task touches

struct Operands {
  ElementwiseFunction kernel;
  char* const* outputs;
  const int* output_itemsizes;
  int output_count;
  const Operand* inputs;
  int input_count;
};

// Where the inputs stand on the outer axes first_axis, first_axis + 1, ...
class Position {
 public:
  Position(const LoopNest& nest, const Operands& operands, int first_axis, int64_t row)
      : nest_(nest), operands_(operands), first_axis_(first_axis) {
    for (int i = 0; i < operands.input_count; ++i) start[i] = operands.inputs[i].data;
    for (int d = first_axis; d < nest.ndim; ++d) {
      place_[d] = row % nest.lengths[d];
      row /= nest.lengths[d];
      move(d, place_[d]);
    }
  }

  void next() {
    for (int d = first_axis_; d < nest_.ndim; ++d) {
      move(d, 1);
      if (++place_[d] < nest_.lengths[d]) return;
      move(d, -nest_.lengths[d]);
      place_[d] = 0;
    }
  }

  const char* start[kMaxInputs];

 private:
  void move(int axis, int64_t steps) {
    for (int i = 0; i < operands_.input_count; ++i)
      start[i] += nest_.strides[i][axis] * steps * operands_.inputs[i].itemsize;
  }

  const LoopNest& nest_;
  const Operands& operands_;
  int first_axis_;
  int64_t place_[kMaxDims];
};

// A row is the innermost axis; long rows are cut into columns for the threads.
struct Rows {
  const LoopNest& nest;
  const Operands& operands;
  int64_t rows, columns;
  int64_t rows_per_task, columns_per_task, column_tasks;

  void run(int64_t first, int64_t last, int64_t column, int64_t n) const {
    Position position(nest, operands, 1, first);
    void* pointers[kMaxOutputs + kMaxInputs];
    const int outputs = operands.output_count;
    for (int64_t row = first; row < last; ++row) {
      for (int k = 0; k < outputs; ++k)
        pointers[k] =
            operands.outputs[k] + (row * columns + column) * operands.output_itemsizes[k];
      for (int i = 0; i < operands.input_count; ++i)
        pointers[outputs + i] =
            const_cast<char*>(position.start[i]) +
            column * nest.strides[i][0] * operands.inputs[i].itemsize;
      operands.kernel(pointers, n);
      if (row + 1 < last) position.next();
    }
  }

  static void task(void* context, int64_t index) {
    const Rows& self = *static_cast<const Rows*>(context);
    const int64_t first = index / self.column_tasks * self.rows_per_task;
    const int64_t column = index % self.column_tasks * self.columns_per_task;
    self.run(first, std::min(first + self.rows_per_task, self.rows), column,
             std::min(self.columns_per_task, self.columns - column));
  }
};

template <class T>
void copy_patterns(char* target, const char* source, const int64_t* offsets, int64_t pattern,
                   int64_t step, int64_t rows) {
  T* out = reinterpret_cast<T*>(target);
  const T* in = reinterpret_cast<const T*>(source);
  for (int64_t row = 0; row < rows; ++row, in += step)
    for (int64_t p = 0; p < pattern; ++p) *out++ = in[offsets[p]];
}

struct Sixteen {
  uint64_t words[2];
};

// A row is one step on the first axis beyond the pattern; a block is a run of rows.
struct Blocks {
  static constexpr int64_t kBlock = 512;  // elements of a block, at most

  const LoopNest& nest;
  const Operands& operands;
  int64_t rows, rows_per_block, blocks_per_run, blocks, blocks_per_task;

  void run(int64_t first, int64_t last) const {
    alignas(64) char copies[kMaxInputs][kBlock * sizeof(Sixteen)];
    const char* copied[kMaxInputs] = {};  // what a copy that repeats one pattern was made of
    int64_t copied_rows[kMaxInputs] = {};
    Position position(nest, operands, nest.folded + 1, first / blocks_per_run);
    int64_t run = first / blocks_per_run;
    void* pointers[kMaxOutputs + kMaxInputs];
    const int outputs = operands.output_count;
    for (int64_t block = first; block < last; ++block) {
      if (block / blocks_per_run != run) {
        position.next();
        run = block / blocks_per_run;
      }
      const int64_t row = block % blocks_per_run * rows_per_block;
      const int64_t count = std::min(rows_per_block, rows - row);
      for (int k = 0; k < outputs; ++k)
        pointers[k] = operands.outputs[k] +
                      (run * rows + row) * nest.pattern * operands.output_itemsizes[k];
      for (int i = 0; i < operands.input_count; ++i) {
        const int itemsize = operands.inputs[i].itemsize;
        const int64_t step = nest.strides[i][nest.folded];
        const char* source = position.start[i] + row * step * itemsize;
        if (!nest.contiguous(i) && !nest.constant(i)) {
          if (step != 0 || copied[i] != source || copied_rows[i] < count)
            copy(copies[i], source, nest.offsets[i], step, count, itemsize);
          copied[i] = source;
          copied_rows[i] = count;
          source = copies[i];
        }
        pointers[outputs + i] = const_cast<char*>(source);
      }
      operands.kernel(pointers, count * nest.pattern);
    }
  }

  void copy(char* target, const char* source, const int64_t* offsets, int64_t step, int64_t count,
            int itemsize) const {
    switch (itemsize) {
      case 1: return copy_patterns<uint8_t>(target, source, offsets, nest.pattern, step, count);
      case 2: return copy_patterns<uint16_t>(target, source, offsets, nest.pattern, step, count);
      case 4: return copy_patterns<uint32_t>(target, source, offsets, nest.pattern, step, count);
      case 8: return copy_patterns<uint64_t>(target, source, offsets, nest.pattern, step, count);
      default: return copy_patterns<Sixteen>(target, source, offsets, nest.pattern, step, count);
    }
  }

  static void task(void* context, int64_t index) {
    const Blocks& self = *static_cast<const Blocks*>(context);
    const int64_t first = index * self.blocks_per_task;
    self.run(first, std::min(first + self.blocks_per_task, self.blocks));
  }
};

void run_released(threads::Task task, void* context, int64_t tasks) {
  PyThreadState* state = PyEval_SaveThread();
  threads::parallel_for(task, context, tasks);
  PyEval_RestoreThread(state);
}

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
    // Python numbers keep their variant, so that x + 1 needs no other code for a 0-d x.
    for (int i = 0; i < count; ++i) strides[i][0] = inputs[i].scalar ? 0 : 1;
  }
  fold(count);
}

void LoopNest::fold(int count) {
  if (ndim < 2 || lengths[0] >= kPattern || size == 0) return;
  while (folded < ndim - 1 && pattern * lengths[folded] < kPattern) pattern *= lengths[folded++];
  for (int i = 0; i < count; ++i) {
    for (int64_t p = 0; p < pattern; ++p) {
      int64_t rest = p, offset = 0;
      for (int d = 0; d < folded; ++d) {
        offset += rest % lengths[d] * strides[i][d];
        rest /= lengths[d];
      }
      offsets[i][p] = offset;
    }
  }
}

bool LoopNest::contiguous(int i) const {
  if (strides[i][folded] != pattern) return false;
  for (int64_t p = 0; p < pattern; ++p)
    if (offsets[i][p] != p) return false;
  return true;
}

bool LoopNest::constant(int i) const {
  for (int d = 0; d <= folded; ++d)
    if (strides[i][d] != 0) return false;
  return true;
}

unsigned LoopNest::mask(int count) const {
  unsigned bits = 0;
  for (int i = 0; i < count; ++i) bits |= (constant(i) ? 1u : 0u) << i;
  return bits;
}

void run_nest(const LoopNest& nest, ElementwiseFunction kernel, char* const* outputs,
              const int* output_itemsizes, int output_count, const Operand* inputs,
              int input_count) {
  if (nest.size == 0) return;
  const Operands operands{kernel, outputs, output_itemsizes, output_count, inputs, input_count};
  int bytes = 0;
  for (int k = 0; k < output_count; ++k) bytes += output_itemsizes[k];
  for (int i = 0; i < input_count; ++i) bytes += inputs[i].itemsize;
  // The partition depends on the operands only, never on the number of threads.
  const int64_t chunk = std::max<int64_t>(64, kChunkBytes / bytes / 64 * 64);
  if (nest.folded) {
    const int64_t rows = nest.lengths[nest.folded];
    Blocks blocks{nest, operands, rows, std::min(rows, Blocks::kBlock / nest.pattern)};
    blocks.blocks_per_run = (rows + blocks.rows_per_block - 1) / blocks.rows_per_block;
    blocks.blocks = nest.size / (rows * nest.pattern) * blocks.blocks_per_run;
    blocks.blocks_per_task = std::max<int64_t>(
        1, chunk / (blocks.rows_per_block * nest.pattern));
    if (nest.size <= kThreaded) return blocks.run(0, blocks.blocks);
    const int64_t tasks = (blocks.blocks + blocks.blocks_per_task - 1) / blocks.blocks_per_task;
    return run_released(Blocks::task, &blocks, tasks);
  }
  const int64_t columns = nest.lengths[0], all_rows = nest.size / columns;
  Rows rows{nest, operands, all_rows, columns, 1, std::min(chunk, columns), 1};
  if (nest.size <= kThreaded) return rows.run(0, all_rows, 0, columns);
  rows.column_tasks = (columns + rows.columns_per_task - 1) / rows.columns_per_task;
  rows.rows_per_task = std::max<int64_t>(1, chunk / columns);
  const int64_t row_tasks = (all_rows + rows.rows_per_task - 1) / rows.rows_per_task;
  run_released(Rows::task, &rows, row_tasks * rows.column_tasks);
}

}  // namespace vires

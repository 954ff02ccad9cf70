// Memory helpers for compiled code.
#include <cstring>

#include "symbols.h"

extern "C" {

// Copies `rows` runs of `bytes` bytes each, `target_step` and `source_step` bytes apart.
void vires_copy_rows(char* target, int64_t target_step, const char* source, int64_t source_step,
                     int64_t bytes, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(target + i * target_step, source + i * source_step, static_cast<size_t>(bytes));
}

void vires_zero(void* target, int64_t bytes) {
  std::memset(target, 0, static_cast<size_t>(bytes));
}

}

VIRES_SYMBOL(vires_copy_rows)
VIRES_SYMBOL(vires_zero)

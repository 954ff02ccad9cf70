#include "blas.h"

namespace vires::blas {

std::array<std::array<uintptr_t, kRoutines>, kDtypes> table{};

bool set(const std::vector<uintptr_t>& addresses) {
  if (addresses.size() != kRoutines * kDtypes) return false;
  for (size_t i = 0; i < addresses.size(); ++i) table[i / kRoutines][i % kRoutines] = addresses[i];
  return true;
}

}  // namespace vires::blas

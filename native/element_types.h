// From the code of a dtype to a C++ type.
#pragma once

#include <complex>
#include <cstdint>

#include "dtype.h"
#include "kernels/half.h"

namespace vires {

// Which dtypes a template is made for, besides integers of 8 to 64 bits, float32 and float64.
enum ElementTypes : unsigned { kNumbers = 0, kWithBool = 1, kWithHalf = 2, kWithComplex = 4 };

// `run(T{})` with the element type of a dtype; `otherwise` for the dtypes that are not among `types`.
template <unsigned types, class Result, class Run>
Result by_element(int code, Result otherwise, const Run& run) {
  if constexpr ((types & kWithBool) != 0) {
    if (code == kBool) return run(bool{});
  }
  if constexpr ((types & kWithHalf) != 0) {
    if (code == kFloat16) return run(Half{});
    if (code == kBFloat16) return run(Brain{});
  }
  if constexpr ((types & kWithComplex) != 0) {
    if (code == kComplex64) return run(std::complex<float>{});
    if (code == kComplex128) return run(std::complex<double>{});
  }
  switch (code) {
    case kInt8: return run(int8_t{});
    case kInt16: return run(int16_t{});
    case kInt32: return run(int32_t{});
    case kInt64: return run(int64_t{});
    case kUInt8: return run(uint8_t{});
    case kUInt16: return run(uint16_t{});
    case kUInt32: return run(uint32_t{});
    case kUInt64: return run(uint64_t{});
    case kFloat32: return run(float{});
    case kFloat64: return run(double{});
    default: return otherwise;
  }
}

}  // namespace vires

// 16-bit floats in memory: widening to float and rounding back to even.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>

namespace vires {

struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

inline float widen(Brain x) {
  const uint32_t bits = uint32_t{x.bits} << 16;
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

inline Brain to_brain(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x != x) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

inline float widen(Half x) {
  const uint32_t sign = uint32_t{x.bits & 0x8000u} << 16;
  const uint32_t exponent = (x.bits >> 10) & 31, mantissa = x.bits & 0x3ff;
  float magnitude;
  if (exponent == 31) {
    const uint32_t bits = 0x7f800000u | (mantissa << 13);
    std::memcpy(&magnitude, &bits, 4);
  } else if (exponent == 0) {
    magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  } else {
    const uint32_t bits = ((exponent + 112) << 23) | (mantissa << 13);
    std::memcpy(&magnitude, &bits, 4);
  }
  return sign ? -magnitude : magnitude;
}

inline Half to_half(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (magnitude < 0x38800000) {  // denormal: count units of 2^-24, rounded to even
    float value;
    std::memcpy(&value, &magnitude, 4);
    return {static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyintf(value * 0x1p24f)))};
  }
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return {static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13))};
}

// Storage type -> accumulator type and the ways there and back.
template <typename T>
struct Element {
  using Sum = T;
  static T load(T x) { return x; }
  static T store(T x) { return x; }
};
template <>
struct Element<Half> {
  using Sum = float;
  static float load(Half x) { return widen(x); }
  static Half store(float x) { return to_half(x); }
};
template <>
struct Element<Brain> {
  using Sum = float;
  static float load(Brain x) { return widen(x); }
  static Brain store(float x) { return to_brain(x); }
};

template <typename T>
constexpr bool is_complex = false;
template <typename T>
constexpr bool is_complex<std::complex<T>> = true;

}  // namespace vires

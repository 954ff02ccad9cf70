// Sort keys: elements of any dtype as unsigned integers whose order is the order of the elements.
//
// Floats: -inf < ... < -0.0 = 0.0 < ... < inf < nan, all nans equal: what a stable sort has to see.
#pragma once

#include <cstdint>

namespace vires::sorting {

template <typename Bits>
inline Bits from_signed(Bits x) {
  return x ^ (Bits{1} << (8 * sizeof(Bits) - 1));
}

// `exponent` masks the bits that are all ones in inf and nan.
template <typename Bits>
inline Bits from_float(Bits x, Bits exponent) {
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  const Bits magnitude = x & static_cast<Bits>(~sign);
  if (magnitude > exponent) return static_cast<Bits>(~Bits{0});
  if (magnitude == 0) return sign;
  return static_cast<Bits>(x & sign ? ~x : x | sign);
}

enum class Order { plain, from_signed, from_packed, from_float };

struct KeyType {
  int bytes;
  Order order;
  uint64_t exponent;  // of packed integers, whose unused bits are 0, the sign
};

// The key of an operand of this dtype code; bytes 0: none here (random keys; complex numbers, which the
// caller splits into two operands; float8 types whose nan is the negative zero;
// float4_e2m1fn).
inline KeyType key_type(int code) {
  switch (code) {
    case 0: case 5: case 22: case 25: case 28: return {1, Order::plain, 0};
    case 1: return {1, Order::from_signed, 0};
    case 21: return {1, Order::from_packed, 8};
    case 27: return {1, Order::from_packed, 2};
    case 2: return {2, Order::from_signed, 0};
    case 3: return {4, Order::from_signed, 0};
    case 4: return {8, Order::from_signed, 0};
    case 6: return {2, Order::plain, 0};
    case 7: return {4, Order::plain, 0};
    case 8: return {8, Order::plain, 0};
    case 9: return {2, Order::from_float, 0x7c00};
    case 10: return {2, Order::from_float, 0x7f80};
    case 11: return {4, Order::from_float, 0x7f800000};
    case 12: return {8, Order::from_float, 0x7ff0000000000000};
    case 16: return {1, Order::from_float, 0x7e};
    case 17: return {1, Order::from_float, 0x7c};
    case 23: return {1, Order::from_float, 0x70};
    case 24: return {1, Order::from_float, 0x78};
    default: return {0, Order::plain, 0};
  }
}

template <typename Bits>
inline Bits ordered(Bits x, const KeyType& type) {
  switch (type.order) {
    case Order::plain: return x;
    case Order::from_signed: return from_signed(x);
    case Order::from_packed: return static_cast<Bits>(x ^ static_cast<Bits>(type.exponent));
    case Order::from_float: return from_float(x, static_cast<Bits>(type.exponent));
  }
  return x;
}

}  // namespace vires::sorting

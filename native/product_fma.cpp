// Small products with fused multiply-adds. Only called where the machine has them.
#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#pragma GCC target("avx2,fma")
#define VIRES_FMA 1
#endif

#include "product_kernels.h"

namespace vires {

#ifdef VIRES_FMA
namespace {

struct Fused {
  static __m256 add_product(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
  static __m256d add_product(__m256d sum, __m256d a, __m256d b) {
    return _mm256_fmadd_pd(a, b, sum);
  }
};

template <class T>
const ProductKernels<T>* kernels() {
  static constexpr ProductKernels<T> fused{block_dot<T, Fused>, small_product<T, Fused>};
  static const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return able ? &fused : nullptr;
}

}  // namespace

template <>
const ProductKernels<float>* fused_kernels() { return kernels<float>(); }
template <>
const ProductKernels<double>* fused_kernels() { return kernels<double>(); }
#else
template <>
const ProductKernels<float>* fused_kernels() { return nullptr; }
template <>
const ProductKernels<double>* fused_kernels() { return nullptr; }
#endif

}  // namespace vires

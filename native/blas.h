// OpenBLAS's routines by dtype, as Python handed over their addresses. Each call runs on the
// calling thread alone. Matrices are column-major, as Fortran has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/small_matrix.h"

namespace vires::blas {

constexpr int kRoutines = 4;  // potrf, trsm, gemm, herk (for real dtypes syrk)
constexpr int kDtypes = 4;    // float32, float64, complex64, complex128

extern std::array<std::array<uintptr_t, kRoutines>, kDtypes> table;

// The routines of all dtypes, dtype after dtype.
bool set(const std::vector<uintptr_t>& addresses);

template <typename T>
struct Routines;

template <typename T, typename Real, int kIndex>
struct RoutinesOf {
  // Factors the upper triangle as U^H U, or the lower one as L L^H; whether there is such a factor.
  static bool potrf(char triangle, int32_t n, T* a, int32_t stride) {
    using Function = void (*)(const char*, const int32_t*, T*, const int32_t*, int32_t*, size_t);
    int32_t info = 0;
    at<Function>(0)(&triangle, &n, a, &stride, &info, 1);
    return info == 0;
  }

  // b becomes the solution of op(a) x = b (side L) or x op(a) = b (side R); b is rows x columns.
  static void trsm(char side, char triangle, char op, char diagonal, int32_t rows, int32_t columns,
                   const T* a, int32_t a_stride, T* b, int32_t b_stride) {
    using Function = void (*)(const char*, const char*, const char*, const char*, const int32_t*,
                              const int32_t*, const T*, const T*, const int32_t*, T*,
                              const int32_t*, size_t, size_t, size_t, size_t);
    const T one = small::FromReal<T>::make(1);
    at<Function>(1)(&side, &triangle, &op, &diagonal, &rows, &columns, &one, a, &a_stride, b,
                    &b_stride, 1, 1, 1, 1);
  }

  // c -= op(a) op(b), with c rows x columns and sums of `depth` products.
  static void subtract_product(char a_op, char b_op, int32_t rows, int32_t columns, int32_t depth,
                               const T* a, int32_t a_stride, const T* b, int32_t b_stride, T* c,
                               int32_t c_stride) {
    using Function = void (*)(const char*, const char*, const int32_t*, const int32_t*,
                              const int32_t*, const T*, const T*, const int32_t*, const T*,
                              const int32_t*, const T*, T*, const int32_t*, size_t, size_t);
    const T minus = small::FromReal<T>::make(-1), one = small::FromReal<T>::make(1);
    at<Function>(2)(&a_op, &b_op, &rows, &columns, &depth, &minus, a, &a_stride, b, &b_stride,
                    &one, c, &c_stride, 1, 1);
  }

  // The lower triangle of c -= a a^H.
  static void subtract_square(int32_t n, int32_t depth, const T* a, int32_t a_stride, T* c,
                              int32_t c_stride) {
    using Function = void (*)(const char*, const char*, const int32_t*, const int32_t*,
                              const Real*, const T*, const int32_t*, const Real*, T*,
                              const int32_t*, size_t, size_t);
    const Real minus = -1, one = 1;
    at<Function>(3)("L", "N", &n, &depth, &minus, a, &a_stride, &one, c, &c_stride, 1, 1);
  }

 private:
  template <typename Function>
  static Function at(int routine) {
    return reinterpret_cast<Function>(table[kIndex][routine]);
  }
};

template <>
struct Routines<float> : RoutinesOf<float, float, 0> {};
template <>
struct Routines<double> : RoutinesOf<double, double, 1> {};
template <>
struct Routines<small::Complex<float>> : RoutinesOf<small::Complex<float>, float, 2> {};
template <>
struct Routines<small::Complex<double>> : RoutinesOf<small::Complex<double>, double, 3> {};

}  // namespace vires::blas

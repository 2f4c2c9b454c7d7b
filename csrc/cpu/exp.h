// exp over vectors, for arguments that softmax produces: zero or below.
#pragma once

#include <cmath>

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

// e^x within 2 ulp for x <= 0; results under 2^-126 are zero and NaN stays NaN. x = n ln 2 + r with
// |r| <= ln 2 / 2; e^r is the Taylor polynomial of degree 7, whose error is 5e-9 of the result.
SGNN_INLINE vec_t<float> exp_nonpositive(vec_t<float> x) {
  using V = vec_t<float>;
  constexpr float kLowest = -87.336544f;     // ln 2^-126
  constexpr float kRound = 12582912.0f;      // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLog2High = 0.693359375f;  // nine bits: exact products with n
  constexpr float kLog2Low = -2.12194440e-4f;
  const V lowest = splat(kLowest);
  const V bounded = x < lowest ? lowest : x;
  const V shifted = bounded * splat(1.44269504f) + splat(kRound);
  const V n = shifted - splat(kRound);
  const V r = (bounded - n * splat(kLog2High)) - n * splat(kLog2Low);
  V p = splat(1.9841270e-4f);
  p = p * r + splat(1.3888889e-3f);
  p = p * r + splat(8.3333333e-3f);
  p = p * r + splat(4.1666667e-2f);
  p = p * r + splat(1.6666667e-1f);
  p = p * r + splat(0.5f);
  p = p * r * r + r + splat(1.0f);
  const u32_vec exponent = (reinterpret_cast<u32_vec>(shifted) << 23) + 0x3f800000u;
  const V scaled = p * reinterpret_cast<V>(exponent);
  return x < lowest ? V{} : scaled;
}

SGNN_INLINE vec_t<double> exp_nonpositive(vec_t<double> x) {
  for (int lane = 0; lane < kLanes<double>; ++lane) x[lane] = std::exp(x[lane]);
  return x;
}

}  // namespace sgnn::cpu::SGNN_ISA

// log over vectors, for positive finite normal numbers.
#pragma once

#include <cmath>

#include "lanes.h"

namespace sgnn::cpu::SGNN_ISA {

// log x within 2e-7 of max(1, |log x|). x = 2^n (1 + r) with 1 + r in [sqrt(1/2), sqrt(2));
// log(1 + r) = 2 atanh(t), t = r / (2 + r), |t| < 0.172, by its series to t^9.
SGNN_INLINE vec_t<float> log_positive(vec_t<float> x) {
  using V = vec_t<float>;
  using I = lane_index_t<float>;
  const I bits = reinterpret_cast<I>(x) - 0x3f3504f3;  // sqrt(1/2)
  const I n = bits >> 23;
  const V r = reinterpret_cast<V>((bits & 0x7fffff) + 0x3f3504f3) - splat(1.0f);
  const V t = r / (r + splat(2.0f));
  const V square = t * t;
  V p = splat(0.22222222f);
  p = p * square + splat(0.28571429f);
  p = p * square + splat(0.4f);
  p = p * square + splat(0.66666667f);
  p = p * square + splat(2.0f);
  return p * t + __builtin_convertvector(n, V) * splat(0.69314718f);
}

SGNN_INLINE vec_t<double> log_positive(vec_t<double> x) {
  for (int lane = 0; lane < kLanes<double>; ++lane) x[lane] = std::log(x[lane]);
  return x;
}

}  // namespace sgnn::cpu::SGNN_ISA

// Hard concrete gates: a thread draws one counter and handles its four elements.
#pragma once

#include <cmath>

#include "device/platform.cuh"
#include "sgnn/hard_concrete.h"

namespace sgnn {

inline constexpr int kGateThreads = 256;
inline constexpr int kGateElements = 4;  // of one counter

template <typename T>
struct HardConcreteParams {
  const T* logits;  // [count]
  const T* grad;    // [count] or null
  T* out;           // [count]
  int64_t count;
  const int64_t* seed;  // [1] or null
  T inverse_beta;
  T gamma;
  T zeta;
};

template <typename T>
__device__ __forceinline__ T gate_value(const HardConcreteParams<T>& p, T x, T grad) {
  const T small = exp(x < T(0) ? x : -x);
  const T s = x < T(0) ? small / (T(1) + small) : T(1) / (T(1) + small);
  const T range = p.zeta - p.gamma;
  const T z = s * range + p.gamma;
  if (p.grad == nullptr) return z < T(0) ? T(0) : z > T(1) ? T(1) : z;
  return z <= T(0) || z >= T(1) ? T(0) : range * s * (T(1) - s) * p.inverse_beta * grad;
}

template <typename T>
__global__ void __launch_bounds__(kGateThreads) hard_concrete_kernel(HardConcreteParams<T> p) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kGateThreads;
  for (int64_t counter = static_cast<int64_t>(blockIdx.x) * kGateThreads + threadIdx.x;
       counter * kGateElements < p.count; counter += step) {
    Philox4 random = {};
    if (p.seed != nullptr) {
      random = philox(static_cast<uint64_t>(*p.seed), static_cast<uint64_t>(counter));
    }
#pragma unroll
    for (int i = 0; i < kGateElements; ++i) {
      const int64_t k = counter * kGateElements + i;
      if (k >= p.count) return;
      T x = p.logits[k];
      if (p.seed != nullptr) {
        const T u = static_cast<T>(gate_uniform(random.word[i]));
        x = (x + log(u / (T(1) - u))) * p.inverse_beta;
      }
      p.out[k] = gate_value(p, x, p.grad == nullptr ? T(0) : p.grad[k]);
    }
  }
}

}  // namespace sgnn

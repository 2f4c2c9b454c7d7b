// Softmax statistics: a maximum and the sum of exp(score - maximum), merged without overflow.
#pragma once

#include <cmath>

#include "device/edges.cuh"

namespace sgnn {

__device__ __forceinline__ float exp_of(float value) { return expf(value); }
__device__ __forceinline__ double exp_of(double value) { return exp(value); }
__device__ __forceinline__ float log_of(float value) { return logf(value); }
__device__ __forceinline__ double log_of(double value) { return log(value); }

template <typename Acc>
__device__ __forceinline__ Acc larger(Acc a, Acc b) {
  return a > b ? a : b;
}

template <typename Acc>
struct SoftmaxStats {
  Acc max = static_cast<Acc>(-INFINITY);
  Acc sum = Acc(0);

  // Zero in place of a maximum of -inf, from which nothing can be subtracted.
  __device__ __forceinline__ Acc shift() const {
    return max == static_cast<Acc>(-INFINITY) ? Acc(0) : max;
  }

  // Raises the maximum to at least `value`; returns what earlier sums are to be multiplied with.
  __device__ __forceinline__ Acc raise(Acc value) {
    const Acc before = max;
    max = larger(value, max);
    const Acc factor = exp_of(before - shift());
    sum *= factor;
    return factor;
  }

  __device__ __forceinline__ void add(Acc score) {
    raise(score);
    sum += exp_of(score - shift());
  }
};

// The largest value over lanes that differ in bits [low, high) of their index.
template <typename Acc>
__device__ __forceinline__ Acc max_lanes(Acc value, int low, int high) {
  for (int offset = low; offset < high; offset *= 2) {
    value = larger(value, __shfl_xor_sync(kFullWarp, value, offset));
  }
  return value;
}

// The statistics over a warp, the same in every lane.
template <typename Acc>
__device__ __forceinline__ SoftmaxStats<Acc> merge_lanes(SoftmaxStats<Acc> mine) {
  mine.raise(max_lanes(mine.max, 1, kWarpSize));
  mine.sum = sum_lanes(mine.sum, 1, kWarpSize);
  return mine;
}

}  // namespace sgnn

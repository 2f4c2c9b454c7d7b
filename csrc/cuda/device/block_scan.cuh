// Prefix sums over the threads of a block.
#pragma once

#include "device/platform.cuh"

namespace sgnn {

// The sum of `value` over the threads before this one; *total receives the sum over all. Every
// thread of a block of kThreads must call it. Barriers at both ends make it safe to repeat.
template <int kThreads>
__device__ __forceinline__ int64_t block_exclusive_sum(int64_t value, int64_t* total) {
  constexpr int kWarps = kThreads / kWarpSize;
  SGNN_SHARED(int64_t, warp_sums, kWarps);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  int64_t inclusive = value;
#pragma unroll
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const int64_t before = __shfl_up_sync(kFullWarp, inclusive, offset);
    if (lane >= offset) inclusive += before;
  }
  if (lane == kWarpSize - 1) warp_sums[warp] = inclusive;
  __syncthreads();
  int64_t before = 0;
  *total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += warp_sums[w];
    *total += warp_sums[w];
  }
  __syncthreads();
  return before + inclusive - value;
}

}  // namespace sgnn

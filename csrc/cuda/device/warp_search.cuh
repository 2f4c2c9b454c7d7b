// Finds the CSR row of a stored position, a warp at a time.
#pragma once

#include "device/platform.cuh"

namespace sgnn {

// `row_of` of row_search.cuh with the same requirements, by all lanes of a warp together: each
// round trip to memory narrows the search 32 times.
template <typename Rowptr>
__device__ __forceinline__ int64_t warp_row_of(Rowptr rowptr, int64_t low, int64_t high,
                                               int64_t position) {
  const int64_t lane = static_cast<int64_t>(threadIdx.x % kWarpSize);
  while (high - low > 1) {
    const int64_t step = ceil_div(high - low, kWarpSize);
    const int64_t probe = low + lane * step;
    const bool before = probe < high && static_cast<int64_t>(rowptr[probe]) <= position;
    low += (__popc(__ballot_sync(kFullWarp, before)) - 1) * step;
    if (low + step < high) high = low + step;
  }
  return low;
}

}  // namespace sgnn

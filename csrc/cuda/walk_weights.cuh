// One warp per row: it reads 32 weights at once and adds them one after the other, as the CPU does.
#pragma once

#include "device/platform.cuh"
#include "sgnn/walk_weights.h"

namespace sgnn {

inline constexpr int kWeightWarps = 4;

template <typename Index>
__global__ void __launch_bounds__(kWeightWarps* kWarpSize)
    walk_weights_kernel(CsrView<Index> csr, const double* weight, double* out) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t warps = static_cast<int64_t>(gridDim.x) * kWeightWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWeightWarps + threadIdx.x / kWarpSize;
       row < csr.num_rows; row += warps) {
    const int64_t begin = csr.rowptr[row];
    double sum = 0.0;
    for (int64_t end = csr.rowptr[row + 1]; end > begin; end -= kWarpSize) {
      const int64_t at = end - 1 - lane;
      const double mine = at < begin ? 0.0 : checked_weight(weight[csr.value_index(at)]);
      const int count = end - begin < kWarpSize ? static_cast<int>(end - begin) : kWarpSize;
      double until = 0.0;
      for (int other = 0; other < count; ++other) {
        sum += __shfl_sync(kFullWarp, mine, other);
        if (other == lane) until = sum;
      }
      if (at >= begin) out[at] = until;
    }
  }
}

}  // namespace sgnn

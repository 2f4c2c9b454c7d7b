// One thread per walk: a walk is a chain of dependent loads, so parallelism comes from their
// number.
#pragma once

#include "device/platform.cuh"
#include "sgnn/walk_step.h"

namespace sgnn {

inline constexpr int kWalkThreads = 128;

template <typename Index>
__global__ void __launch_bounds__(kWalkThreads)
    random_walk_kernel(RandomWalkArgs args, CsrView<Index> csr) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWalkThreads;
  for (int64_t w = static_cast<int64_t>(blockIdx.x) * kWalkThreads + threadIdx.x;
       w < args.num_walks; w += stride) {
    Walk<Index> walk(args, csr, w);
    for (int64_t step = 0; step < args.length; ++step) {
      walk.locate(csr);
      walk.choose(args, step);
      if (args.weight_sum != nullptr) {
        while (walk.narrow(args.weight_sum)) {
        }
      }
      walk.follow(args, csr, step);
    }
  }
}

}  // namespace sgnn

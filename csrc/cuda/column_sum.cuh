// Column sums of a matrix, in an order that its shape alone decides: slices of the rows first, then
// the slices by the same kernel.
#pragma once

#include "device/platform.cuh"

namespace sgnn {

inline constexpr int kColumnSumThreads = 256;
inline constexpr int kColumnSumWarps = kColumnSumThreads / kWarpSize;
inline constexpr int64_t kColumnSumSlices = 128;

// out [gridDim.x, width]: the sums over a slice of `values` [rows, width] per block. A warp takes
// every kColumnSumWarps-th row of it, a lane one of 32 columns.
template <typename Acc>
__global__ void __launch_bounds__(kColumnSumThreads)
    column_sum_kernel(const Acc* values, int64_t rows, int64_t width, Acc* out) {
  SGNN_SHARED(Acc, parts, kColumnSumThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int64_t slice = blockIdx.x;
  const int64_t begin = rows * slice / gridDim.x;
  const int64_t end = rows * (slice + 1) / gridDim.x;
  for (int64_t first = blockIdx.y * int64_t{kWarpSize}; first < width;
       first += gridDim.y * int64_t{kWarpSize}) {
    const int64_t column = first + lane;
    Acc sum = Acc(0);
    for (int64_t row = begin + warp; row < end && column < width; row += kColumnSumWarps) {
      sum += values[row * width + column];
    }
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (warp == 0 && column < width) {
      for (int w = 1; w < kColumnSumWarps; ++w) sum += parts[w * kWarpSize + lane];
      out[slice * width + column] = sum;
    }
    __syncthreads();
  }
}

// Elements of scratch that launch_column_sum needs.
inline int64_t column_sum_scratch(int64_t width) { return kColumnSumSlices * width; }

// out [width]: the column sums of `values` [rows, width]; `width` is not zero.
template <typename Acc>
void launch_column_sum(const Acc* values, int64_t rows, int64_t width, Acc* scratch, Acc* out,
                       Stream stream) {
  const int64_t tiles = ceil_div(width, kWarpSize);
  const auto blocks = static_cast<unsigned>(tiles < kMaxGridY ? tiles : kMaxGridY);
  const auto kernel = column_sum_kernel<Acc>;
  const dim3 threads(kColumnSumThreads);
  const dim3 slices(static_cast<unsigned>(kColumnSumSlices), blocks);
  SGNN_LAUNCH(kernel, slices, threads, 0, stream, values, rows, width, scratch);
  const dim3 whole(1, blocks);
  SGNN_LAUNCH(kernel, whole, threads, 0, stream, scratch, kColumnSumSlices, width, out);
}

}  // namespace sgnn

// Tiled transpose of a dense matrix, by element size only.
#pragma once

#include "device/platform.cuh"

namespace sgnn {

inline constexpr int kTransposeTile = 32;
inline constexpr int kTransposeRows = 8;  // threads per tile column

// out[c, r] = in[r, c] for r < rows, and zero for rows <= r < padded_rows.
template <typename Bits>
struct TransposeParams {
  const Bits* in;  // [rows, cols]
  int64_t in_stride;
  int64_t rows;
  int64_t cols;
  Bits* out;  // [cols, padded_rows]
  int64_t out_stride;
  int64_t padded_rows;
};

template <typename Bits>
__global__ void __launch_bounds__(kTransposeTile* kTransposeRows)
    transpose_kernel(TransposeParams<Bits> p) {
  constexpr int kPitch = kTransposeTile + 1;  // a column of the tile then touches every bank
  SGNN_SHARED(Bits, tile, kTransposeTile * kPitch);
  const int x = static_cast<int>(threadIdx.x);
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * kTransposeTile;
  for (int64_t col0 = static_cast<int64_t>(blockIdx.y) * kTransposeTile; col0 < p.cols;
       col0 += static_cast<int64_t>(gridDim.y) * kTransposeTile) {
    for (int i = static_cast<int>(threadIdx.y); i < kTransposeTile; i += kTransposeRows) {
      const bool inside = row0 + i < p.rows && col0 + x < p.cols;
      tile[i * kPitch + x] = inside ? p.in[(row0 + i) * p.in_stride + col0 + x] : Bits(0);
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.y); i < kTransposeTile; i += kTransposeRows) {
      if (col0 + i < p.cols && row0 + x < p.padded_rows) {
        p.out[(col0 + i) * p.out_stride + row0 + x] = tile[x * kPitch + i];
      }
    }
    __syncthreads();
  }
}

template <typename Bits>
Status launch_transpose(const TransposeParams<Bits>& params, Stream stream) {
  if (params.padded_rows == 0 || params.cols == 0) return nullptr;
  const int64_t tiles = ceil_div(params.cols, kTransposeTile);
  const dim3 grid(static_cast<unsigned>(ceil_div(params.padded_rows, kTransposeTile)),
                  static_cast<unsigned>(tiles < kMaxGridY ? tiles : kMaxGridY));
  const dim3 block(kTransposeTile, kTransposeRows);
  const auto kernel = transpose_kernel<Bits>;
  SGNN_LAUNCH(kernel, grid, block, 0, stream, params);
  return launch_status();
}

}  // namespace sgnn

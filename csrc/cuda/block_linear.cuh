// Block-sparse linear layers: dense tiles through shared memory, stored blocks only.
#pragma once

#include "device/platform.cuh"
#include "device/row_search.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kBlockSide = 16;  // threads along each side of a tile
inline constexpr int kBlockThreads = kBlockSide * kBlockSide;
inline constexpr int kBlockSamples = 64;             // samples of a forward tile
inline constexpr int kBlockSlice = 16;               // length of the sum between two barriers
inline constexpr int kBlockPitch = kBlockSlice + 1;  // a column then touches every bank

// Resident blocks asked of the compiler: left to itself it spills for sm_100 and later.
template <typename T>
inline constexpr int kBlockResident = sizeof(T) < 8 ? 4 : 3;

template <typename T, typename Index>
struct BlockLinearParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;  // [O / b, K / b]
  bool transposed;
  int64_t num_samples;
  const T* x;         // [N, K]
  const Acc* values;  // [nnz, b, b] by edge id
  const Acc* bias;    // [O] or null
  T* y;               // [N, O]
};

// Samples [blockIdx.x * kBlockSamples, ...) of the outputs of one block row at a time. A thread
// holds every kBlockSide-th sample and output of the tile.
template <typename T, typename Index, int kSize>
__global__ void __launch_bounds__(kBlockThreads, (kBlockResident<T>))
    block_linear_kernel(BlockLinearParams<T, Index> p) {
  using Acc = acc_t<T>;
  constexpr int kRows = kBlockSamples / kBlockSide;
  constexpr int kCols = kSize / kBlockSide;
  SGNN_SHARED(Acc, x_tile, kBlockSamples * kBlockPitch);
  SGNN_SHARED(Acc, w_tile, kSize * kBlockPitch);
  const int tx = static_cast<int>(threadIdx.x) % kBlockSide;
  const int ty = static_cast<int>(threadIdx.x) / kBlockSide;
  const int64_t sample0 = static_cast<int64_t>(blockIdx.x) * kBlockSamples;
  const int64_t inputs = p.csr.num_cols * kSize;
  const int64_t outputs = p.csr.num_rows * kSize;
  for (int64_t row = blockIdx.y; row < p.csr.num_rows; row += gridDim.y) {
    Acc sum[kRows][kCols] = {};
    for (int64_t j = p.csr.rowptr[row]; j < static_cast<int64_t>(p.csr.rowptr[row + 1]); ++j) {
      const int64_t input0 = static_cast<int64_t>(p.csr.col[j]) * kSize;
      const Acc* block = p.values + p.csr.value_index(j) * kSize * kSize;
      for (int k0 = 0; k0 < kSize; k0 += kBlockSlice) {
        for (int s = ty; s < kBlockSamples; s += kBlockSide) {
          const int64_t n = sample0 + s;
          x_tile[s * kBlockPitch + tx] =
              n < p.num_samples ? to_acc(p.x[n * inputs + input0 + k0 + tx]) : Acc(0);
        }
        for (int o = ty; o < kSize; o += kBlockSide) {
          const int k = k0 + tx;
          w_tile[o * kBlockPitch + tx] = p.transposed ? block[k * kSize + o] : block[o * kSize + k];
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < kBlockSlice; ++k) {
          Acc weight[kCols];
#pragma unroll
          for (int c = 0; c < kCols; ++c) {
            weight[c] = w_tile[(tx + c * kBlockSide) * kBlockPitch + k];
          }
#pragma unroll
          for (int r = 0; r < kRows; ++r) {
            const Acc value = x_tile[(ty + r * kBlockSide) * kBlockPitch + k];
#pragma unroll
            for (int c = 0; c < kCols; ++c) sum[r][c] += value * weight[c];
          }
        }
        __syncthreads();
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int64_t n = sample0 + ty + r * kBlockSide;
      if (n >= p.num_samples) continue;
#pragma unroll
      for (int c = 0; c < kCols; ++c) {
        const int64_t o = row * kSize + tx + c * kBlockSide;
        const Acc bias = p.bias == nullptr ? Acc(0) : p.bias[o];
        p.y[n * outputs + o] = from_acc<T>(sum[r][c] + bias);
      }
    }
  }
}

template <typename T, typename Index>
struct BlockGradParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;  // [O / b, K / b]
  int64_t num_samples;
  int64_t chunk_samples;
  const T* g;  // [N, O]
  const T* x;  // [N, K]
  Acc* sums;   // [chunks, nnz, b, b] by stored position
};

// One stored block (blockIdx.x) over one chunk of samples (blockIdx.y).
template <typename T, typename Index, int kSize>
__global__ void __launch_bounds__(kBlockThreads)
    block_linear_grad_kernel(BlockGradParams<T, Index> p) {
  using Acc = acc_t<T>;
  constexpr int kEach = kSize / kBlockSide;
  SGNN_SHARED(Acc, g_tile, kBlockSlice * kSize);
  SGNN_SHARED(Acc, x_tile, kBlockSlice * kSize);
  const int tx = static_cast<int>(threadIdx.x) % kBlockSide;
  const int ty = static_cast<int>(threadIdx.x) / kBlockSide;
  const int64_t position = blockIdx.x;
  const int64_t row = row_of(p.csr.rowptr, 0, p.csr.num_rows, position);
  const int64_t output0 = row * kSize;
  const int64_t input0 = static_cast<int64_t>(p.csr.col[position]) * kSize;
  const int64_t outputs = p.csr.num_rows * kSize;
  const int64_t inputs = p.csr.num_cols * kSize;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * p.chunk_samples;
  const int64_t end =
      begin + p.chunk_samples < p.num_samples ? begin + p.chunk_samples : p.num_samples;
  Acc sum[kEach][kEach] = {};
  for (int64_t n0 = begin; n0 < end; n0 += kBlockSlice) {
    const int64_t n = n0 + ty;
    for (int c = tx; c < kSize; c += kBlockSide) {
      g_tile[ty * kSize + c] = n < end ? to_acc(p.g[n * outputs + output0 + c]) : Acc(0);
      x_tile[ty * kSize + c] = n < end ? to_acc(p.x[n * inputs + input0 + c]) : Acc(0);
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kBlockSlice; ++s) {
      Acc value[kEach];
#pragma unroll
      for (int c = 0; c < kEach; ++c) value[c] = x_tile[s * kSize + tx + c * kBlockSide];
#pragma unroll
      for (int r = 0; r < kEach; ++r) {
        const Acc grad = g_tile[s * kSize + ty + r * kBlockSide];
#pragma unroll
        for (int c = 0; c < kEach; ++c) sum[r][c] += grad * value[c];
      }
    }
    __syncthreads();
  }
  Acc* target = p.sums + (static_cast<int64_t>(blockIdx.y) * p.csr.nnz + position) * kSize * kSize;
#pragma unroll
  for (int r = 0; r < kEach; ++r) {
#pragma unroll
    for (int c = 0; c < kEach; ++c) {
      target[(ty + r * kBlockSide) * kSize + tx + c * kBlockSide] = sum[r][c];
    }
  }
}

// out of one stored block = the sum of its chunks, in order.
template <typename Acc, typename Index>
__global__ void __launch_bounds__(kBlockThreads)
    block_linear_sum_kernel(CsrView<Index> csr, int64_t area, int64_t chunks, const Acc* sums,
                            Acc* out) {
  const int64_t position = blockIdx.x;
  Acc* target = out + csr.value_index(position) * area;
  for (int64_t i = threadIdx.x; i < area; i += kBlockThreads) {
    Acc sum = Acc(0);
    for (int64_t c = 0; c < chunks; ++c) sum += sums[(c * csr.nnz + position) * area + i];
    target[i] = sum;
  }
}

}  // namespace sgnn

// Values per edge and head. Scores: one warp per 32 stored positions, here. Sums and softmax along
// rows: edge_rows.cuh.
#pragma once

#include "device/row_search.cuh"
#include "edge_rows.cuh"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"

namespace sgnn {

template <typename Acc, typename Index>
struct EdgeScoresParams {
  CsrView<Index> csr;
  const uint8_t* bits;
  int64_t heads;
  const Acc* dst;  // [M, H] or null
  const Acc* src;  // [K, H] or null
  Acc slope;
  Acc* out;  // [nnz, H] by edge id
};

template <typename Acc, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_scores_kernel(EdgeScoresParams<Acc, Index> p) {
  const int64_t begin = edge_warp() * kWarpSize;
  if (begin >= p.csr.nnz) return;
  const int64_t end = begin + kWarpSize < p.csr.nnz ? begin + kWarpSize : p.csr.nnz;
  const int64_t low = row_of(p.csr.rowptr, 0, p.csr.num_rows, begin);
  const int64_t high = row_of(p.csr.rowptr, low, p.csr.num_rows, end - 1) + 1;
  const int64_t lane = threadIdx.x % kWarpSize;
  for (int64_t i = lane; i < (end - begin) * p.heads; i += kWarpSize) {
    const int64_t position = begin + i / p.heads;
    const int64_t head = i % p.heads;
    const int64_t id = p.csr.value_index(position);
    Acc value = Acc(0);
    if (p.bits == nullptr || test_bit(p.bits, id)) {
      const int64_t row = row_of(p.csr.rowptr, low, high, position);
      const int64_t col = p.csr.col[position];
      if (p.dst != nullptr) value += p.dst[row * p.heads + head];
      if (p.src != nullptr) value += p.src[col * p.heads + head];
      value = value > Acc(0) ? value : p.slope * value;
    }
    p.out[id * p.heads + head] = value;
  }
}

// Sums of the values along a row.
template <typename A>
struct EdgeSum {
  using Acc = A;
  using State = Acc;
  static constexpr bool kPerEdge = false;
  const Acc* values;
  Acc* out;  // [M, H]

  __device__ __forceinline__ void add(Acc& sum, int64_t i) const { sum += values[i]; }
};

// Softmax of the scores of a row.
template <typename A>
struct EdgeSoftmax {
  using Acc = A;
  using State = SoftmaxStats<Acc>;
  static constexpr bool kPerEdge = true;
  const Acc* scores;
  Acc* out;  // [nnz, H]

  __device__ __forceinline__ void add(State& stats, int64_t i) const { stats.add(scores[i]); }
  __device__ __forceinline__ Acc give(const State& stats, int64_t i) const {
    return exp_of(scores[i] - stats.max) / stats.sum;
  }
};

// Derivative of the softmax along a row.
template <typename A>
struct EdgeSoftmaxGrad {
  using Acc = A;
  using State = Acc;
  static constexpr bool kPerEdge = true;
  const Acc* softmax;
  const Acc* grad;
  Acc* out;  // [nnz, H]

  __device__ __forceinline__ void add(Acc& sum, int64_t i) const { sum += softmax[i] * grad[i]; }
  __device__ __forceinline__ Acc give(Acc sum, int64_t i) const {
    return softmax[i] * (grad[i] - sum);
  }
};

}  // namespace sgnn

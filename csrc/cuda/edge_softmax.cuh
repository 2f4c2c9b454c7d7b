// Values per edge and head. Sums and softmax: one warp per row and head, lanes over the stored
// positions, lanes added in a fixed tree. Scores: one warp per 32 stored positions.
#pragma once

#include "device/row_search.cuh"
#include "device/softmax.cuh"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"

namespace sgnn {

inline constexpr int kEdgeThreads = 128;
inline constexpr int kEdgeBlocks = 8;  // resident, asked of the compiler
inline constexpr int kEdgeWarps = kEdgeThreads / kWarpSize;

__device__ __forceinline__ int64_t edge_warp() {
  return static_cast<int64_t>(blockIdx.x) * kEdgeWarps + threadIdx.x / kWarpSize;
}

// What a warp of one row and head walks over.
template <typename Index>
struct RowOfHead {
  const CsrView<Index>& csr;
  const uint8_t* bits;
  int64_t heads;
  int64_t row;
  int64_t head;

  __device__ __forceinline__ RowOfHead(const CsrView<Index>& graph, const uint8_t* kept,
                                       int64_t num_heads, int64_t warp)
      : csr(graph), bits(kept), heads(num_heads), row(warp / num_heads), head(warp % num_heads) {}

  __device__ __forceinline__ bool valid() const { return row < csr.num_rows; }

  // Calls kept(i) or dropped(i) with the place i of this head's value, for this lane's edges.
  template <typename Kept, typename Dropped>
  __device__ __forceinline__ void each(Kept&& kept, Dropped&& dropped) const {
    const int64_t end = csr.rowptr[row + 1];
    for (int64_t e = csr.rowptr[row] + threadIdx.x % kWarpSize; e < end; e += kWarpSize) {
      const int64_t id = csr.value_index(e);
      if (bits == nullptr || test_bit(bits, id)) {
        kept(id * heads + head);
      } else {
        dropped(id * heads + head);
      }
    }
  }
};

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

template <typename Acc, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_sum_kernel(CsrView<Index> csr, const uint8_t* bits, int64_t heads, const Acc* values,
                    Acc* out) {
  const RowOfHead<Index> row(csr, bits, heads, edge_warp());
  if (!row.valid()) return;
  Acc sum = Acc(0);
  row.each([&](int64_t i) { sum += values[i]; }, [](int64_t) {});
  sum = sum_lanes(sum, 1, kWarpSize);
  if (threadIdx.x % kWarpSize == 0) out[row.row * heads + row.head] = sum;
}

template <typename Acc, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_softmax_kernel(CsrView<Index> csr, const uint8_t* bits, int64_t heads, const Acc* scores,
                        Acc* out) {
  const RowOfHead<Index> row(csr, bits, heads, edge_warp());
  if (!row.valid()) return;
  SoftmaxStats<Acc> mine;
  row.each([&](int64_t i) { mine.add(scores[i]); }, [](int64_t) {});
  const SoftmaxStats<Acc> all = merge_lanes(mine);
  row.each([&](int64_t i) { out[i] = exp_of(scores[i] - all.max) / all.sum; },
           [&](int64_t i) { out[i] = Acc(0); });
}

template <typename Acc, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_softmax_grad_kernel(CsrView<Index> csr, const uint8_t* bits, int64_t heads,
                             const Acc* softmax, const Acc* grad, Acc* out) {
  const RowOfHead<Index> row(csr, bits, heads, edge_warp());
  if (!row.valid()) return;
  Acc sum = Acc(0);
  row.each([&](int64_t i) { sum += softmax[i] * grad[i]; }, [](int64_t) {});
  sum = sum_lanes(sum, 1, kWarpSize);
  row.each([&](int64_t i) { out[i] = softmax[i] * (grad[i] - sum); },
           [&](int64_t i) { out[i] = Acc(0); });
}

}  // namespace sgnn

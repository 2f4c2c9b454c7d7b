// Edge-parallel SDDMM: a warp owns a run of stored positions, whatever rows they lie in, so a hub
// row and a thousand short rows cost the same. A group of `lanes` lanes computes one dot product.
#pragma once

#include "device/edges.cuh"
#include "device/row_search.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kSddmmThreads = 128;
inline constexpr int kSddmmWarps = kSddmmThreads / kWarpSize;
inline constexpr int kSddmmMinBlocks = 5;

// Edges in flight per lane group; each takes a row of a and a row of b.
template <bool kAligned>
inline constexpr int kSddmmSteps = kAligned ? 4 : 1;

template <typename T, typename Index>
struct SddmmParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [M, K]
  EdgeFactors<Acc> factors;  // of an edge's result
  const Acc* row_scale;      // [M] or null
  TileShape shape;           // of a row of a and b
  int64_t width;             // F
  const T* a;                // [M, F]
  int64_t a_stride;
  const T* b;  // [K, F]
  int64_t b_stride;
  Acc* out;                // [nnz] by edge id
  int64_t edges_per_warp;  // stored positions of one warp
};

template <typename Acc>
struct alignas(16) SddmmEdge {
  int64_t row;
  int64_t col;
  int64_t id;
  Acc coefficient;
};

// Computes kStep staged edges per group, from `first` on; steps past `count` repeat the last edge
// and write nothing. Columns past the width are dropped by selection.
template <int kStep, typename T, typename Index, bool kAligned>
__device__ __forceinline__ void dot_edges(const SddmmParams<T, Index>& p,
                                          const SddmmEdge<acc_t<T>>* staged, int first, int groups,
                                          int count, int lane_in_group) {
  using Acc = acc_t<T>;
  Acc dot[kStep] = {};
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane_in_group, p.shape.lanes, p.width);
    Pack<T> a[kStep];
    Pack<T> b[kStep];
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      const int slot = first + s * groups < count ? first + s * groups : count - 1;
      a[s] = tile.load(p.a + staged[slot].row * p.a_stride);
      b[s] = tile.load(p.b + staged[slot].col * p.b_stride);
    }
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        const Acc product = to_acc(a[s].item[i]) * to_acc(b[s].item[i]);
        dot[s] += tile.inside(i) ? product : Acc(0);
      }
    }
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const Acc sum = sum_lanes(dot[s], 1, p.shape.lanes);
    const int slot = first + s * groups;
    if (lane_in_group == 0 && slot < count) p.out[staged[slot].id] = staged[slot].coefficient * sum;
  }
}

template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSddmmThreads, kSddmmMinBlocks)
    sddmm_kernel(SddmmParams<T, Index> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(SddmmEdge<Acc>, all_staged, kSddmmThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  SddmmEdge<Acc>* staged = all_staged + warp * kWarpSize;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kSddmmWarps + warp) * p.edges_per_warp;
  if (begin >= p.csr.nnz) return;
  const int64_t end = begin + p.edges_per_warp < p.csr.nnz ? begin + p.edges_per_warp : p.csr.nnz;
  const int64_t low = row_of(p.csr.rowptr, 0, p.csr.num_rows, begin);
  const int64_t high = row_of(p.csr.rowptr, low, p.csr.num_rows, end - 1) + 1;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = lane / p.shape.lanes;
  for (int64_t first = begin; first < end; first += kWarpSize) {
    const int count = stage_edges(
        p.csr, p.factors, first, end,
        [&](int slot, int64_t position, int64_t id) {
          const int64_t row = row_of(p.csr.rowptr, low, high, position);
          const int64_t col = p.csr.col[position];
          const Acc coefficient = p.factors.coefficient(id, col);
          staged[slot] = {row, col, id,
                          p.row_scale == nullptr ? coefficient : coefficient * p.row_scale[row]};
        },
        [&](int64_t id) { p.out[id] = Acc(0); });
    constexpr int kStep = kSddmmSteps<kAligned>;
    for (int base = 0; base < count; base += kStep * groups) {
      dot_edges<kStep, T, Index, kAligned>(p, staged, base + group, groups, count,
                                           lane % p.shape.lanes);
    }
    __syncwarp();
  }
}

}  // namespace sgnn

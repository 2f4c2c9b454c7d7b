// Gradients of max and min aggregation over the transpose: one warp per source. A row of g and the
// edges that gave its target are loaded together, for the source's sum and for the edge's product.
//
// The warp is cut into groups of `lanes` lanes; group g takes the edges g, g + groups, ... of the
// source, and the groups are added in a fixed tree: the result never depends on scheduling.
#pragma once

#include "device/edges.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kExtremeGradThreads = 128;
inline constexpr int kExtremeGradWarps = kExtremeGradThreads / kWarpSize;
inline constexpr int kExtremeGradBlocks = 4;

template <typename T, typename Index>
struct ExtremeGradParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [K, M]
  EdgeFactors<Acc> factors;  // of an edge's part in dx
  TileShape shape;           // of a row of g and x
  int64_t width;             // F
  const T* g;                // [M, F]
  int64_t g_stride;
  const Index* arg;  // [M, F] contiguous
  const T* x;        // [K, F]
  int64_t x_stride;
  T* dx;        // [K, F] contiguous
  Acc* d_edge;  // [nnz] by edge id
};

template <typename Acc>
struct alignas(16) ExtremeGradEdge {
  int64_t col;
  int64_t id;
  Acc coefficient;
};

// One edge of the group: adds to `sum` and returns the lane's part of the product. By selection: a
// feature that is infinite in another column must not meet a zero.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ acc_t<T> take_target(const ExtremeGradParams<T, Index>& p,
                                                const ExtremeGradEdge<acc_t<T>>& edge,
                                                const Tile<T, kAligned>& tile, const Pack<T>& x,
                                                acc_t<T>* sum) {
  using Acc = acc_t<T>;
  const Pack<T> g = tile.load(p.g + edge.col * p.g_stride);
  const Index* names = p.arg + edge.col * p.width;
  Acc dot = 0;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const bool named = tile.inside(i) && static_cast<int64_t>(names[tile.column(i)]) == edge.id;
    const Acc value = to_acc(g.item[i]);
    sum[i] += named ? edge.coefficient * value : Acc(0);
    dot += named ? to_acc(x.item[i]) * value : Acc(0);
  }
  return dot;
}

template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void gather_targets(const ExtremeGradParams<T, Index>& p, int64_t row,
                                               int64_t t, const Tile<T, kAligned>& tile,
                                               ExtremeGradEdge<acc_t<T>>* staged, acc_t<T>* sum) {
  using Acc = acc_t<T>;
  const int lanes = p.shape.lanes;
  const int groups = kWarpSize / lanes;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const Pack<T> x = tile.load(p.x + row * p.x_stride);
  const int64_t end = p.csr.rowptr[row + 1];
  for (int64_t first = p.csr.rowptr[row]; first < end; first += kWarpSize) {
    const int count = stage_edges<Index, Acc>(
        p.csr, p.factors, first, end,
        [&](int slot, int64_t position, int64_t id) {
          staged[slot] = {static_cast<int64_t>(p.csr.col[position]), id,
                          p.factors.coefficient(id, 0)};
        },
        [](int64_t) {});
    for (int base = 0; base < count; base += groups) {
      const int slot = base + lane / lanes;
      const Acc dot = slot < count ? take_target(p, staged[slot], tile, x, sum) : Acc(0);
      const Acc total = sum_lanes(dot, 1, lanes);
      if (lane % lanes != 0 || slot >= count) continue;
      Acc* out = p.d_edge + staged[slot].id;
      *out = t == 0 ? total : *out + total;
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) sum[i] = sum_lanes(sum[i], lanes, kWarpSize);
}

template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kExtremeGradThreads, kExtremeGradBlocks)
    spmm_extreme_grad_kernel(ExtremeGradParams<T, Index> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(ExtremeGradEdge<Acc>, all_staged, kExtremeGradThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kExtremeGradWarps + warp;
  if (row >= p.csr.num_rows) return;
  const int lanes = p.shape.lanes;
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    Acc sum[kItems<T>] = {};
    gather_targets(p, row, t, tile, all_staged + warp * kWarpSize, sum);
    Pack<T> pack;
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) pack.item[i] = from_acc<T>(sum[i]);
    if (lane < lanes) tile.store(p.dx + row * p.width, pack);
  }
  if (p.shape.tiles != 0) return;
  const int64_t end = p.csr.rowptr[row + 1];
  for (int64_t e = p.csr.rowptr[row] + lane; e < end; e += kWarpSize) {
    p.d_edge[p.csr.value_index(e)] = Acc(0);
  }
}

}  // namespace sgnn

// Gradients of SpMM over the transpose: one warp per source, or per chunk of a hub source, which
// keeps a tile of the source's features in registers. A row of g is loaded once, for the source's
// sum and for the edge's dot product.
//
// The warp is cut into groups of `lanes` lanes; group g takes the kept edges g, g + groups, ... of
// the source, and the groups are added in a fixed tree; the sums of a hub's chunks are added in a
// fixed order: the result never depends on scheduling. An edge's dot product belongs to one warp.
#pragma once

#include "device/edges.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"
#include "spmm_split.cuh"

namespace sgnn {

inline constexpr int kSpmmGradThreads = 128;
inline constexpr int kSpmmGradWarps = kSpmmGradThreads / kWarpSize;
// Resident blocks asked of the compiler: 16-bit rows hold twice the accumulators.
template <typename T>
inline constexpr int kSpmmGradBlocks = sizeof(T) == 2 ? 4 : 5;

// Rows of g in flight per lane.
template <bool kAligned>
inline constexpr int kSpmmGradSteps = kAligned ? 4 : 1;

template <typename T, typename Index>
struct SpmmGradParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [K, M]
  EdgeFactors<Acc> factors;  // of an edge's part in dx
  TileShape shape;           // of a row of g and x
  HubSplit<Acc> split;       // of the sources
  int64_t width;             // F
  const T* g;                // [M, F]
  int64_t g_stride;
  const T* x;  // [K, F]
  int64_t x_stride;
  T* dx;                    // [K, F] contiguous
  Acc* d_edge;              // [nnz] by edge id
  const Acc* source_scale;  // [K] or null
};

template <typename Acc>
struct alignas(16) SpmmGradEdge {
  int64_t col;
  int64_t id;
  Acc coefficient;
  Acc scale;  // of the dot product
};

// What a warp knows of its source and its tile.
template <typename T, bool kAligned>
struct SpmmGradSource {
  Tile<T, kAligned> tile;
  Pack<T> x;
  int lane_in_group;
  bool first_tile;
  bool last_tile;
};

// The dot product of a tile joins those of the tiles before it; one lane writes all of an edge's.
template <typename T, bool kAligned>
__device__ __forceinline__ void write_dot(const SpmmGradSource<T, kAligned>& source,
                                          const SpmmGradEdge<acc_t<T>>& edge, acc_t<T> dot,
                                          acc_t<T>* d_edge) {
  if (!source.first_tile) dot += d_edge[edge.id];
  d_edge[edge.id] = source.last_tile ? edge.scale * dot : dot;
}

// Takes kStep staged edges per group, from `first` on. Steps past `count` repeat the last edge, add
// zero by selection, never by a product, and write nothing.
template <int kStep, typename T, typename Index, bool kAligned>
__device__ __forceinline__ void add_targets(const SpmmGradParams<T, Index>& p,
                                            const SpmmGradSource<T, kAligned>& source,
                                            const SpmmGradEdge<acc_t<T>>* staged, int first,
                                            int groups, int count, acc_t<T>* sum) {
  using Acc = acc_t<T>;
  Pack<T> pack[kStep];
  Acc dot[kStep] = {};
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    pack[s] = source.tile.load(p.g + staged[slot].col * p.g_stride);
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const bool valid = first + s * groups < count;
    const Acc coefficient = valid ? staged[first + s * groups].coefficient : Acc(0);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Acc value = valid && source.tile.inside(i) ? to_acc(pack[s].item[i]) : Acc(0);
      sum[i] += coefficient * value;
      dot[s] += source.tile.inside(i) ? to_acc(source.x.item[i]) * value : Acc(0);
    }
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const Acc total = sum_lanes(dot[s], 1, p.shape.lanes);
    const int slot = first + s * groups;
    if (source.lane_in_group == 0 && slot < count) write_dot(source, staged[slot], total, p.d_edge);
  }
}

// Adds the kept edges of `span` to `sum`, complete in every lane group, and writes their dot
// products. Returns zero when there was none.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ int gather_source(const SpmmGradParams<T, Index>& p, const Span& span,
                                             const SpmmGradSource<T, kAligned>& source,
                                             SpmmGradEdge<acc_t<T>>* staged, acc_t<T>* sum) {
  using Acc = acc_t<T>;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  const Acc source_scale = p.source_scale == nullptr ? Acc(1) : p.source_scale[span.row];
  int kept = 0;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_edges<Index, Acc>(
        p.csr, p.factors, first, span.end,
        [&](int slot, int64_t position, int64_t id) {
          const int64_t col = p.csr.col[position];
          const Acc scale = p.factors.col_scale == nullptr ? Acc(1) : p.factors.col_scale[col];
          staged[slot] = {col, id, p.factors.coefficient(id, col), source_scale * scale};
        },
        [&](int64_t id) { p.d_edge[id] = Acc(0); });
    kept |= count;
    constexpr int kStep = kSpmmGradSteps<kAligned>;
    for (int base = 0; base < count; base += kStep * groups) {
      add_targets<kStep>(p, source, staged, base + group, groups, count, sum);
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) sum[i] = sum_lanes(sum[i], p.shape.lanes, kWarpSize);
  return kept;
}

template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_source(const SpmmGradParams<T, Index>& p, int64_t row,
                                             int64_t kept, const Tile<T, kAligned>& tile,
                                             const acc_t<T>* sum) {
  using Acc = acc_t<T>;
  const Acc scale = p.source_scale == nullptr ? Acc(1) : p.source_scale[row];
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    pack.item[i] = from_acc<T>(kept > 0 ? scale * sum[i] : Acc(0));
  }
  tile.store(p.dx + row * p.width, pack);
}

// Dot products of rows without columns.
template <typename T, typename Index>
__device__ __forceinline__ void clear_dots(const SpmmGradParams<T, Index>& p, int64_t row) {
  const int64_t end = p.csr.rowptr[row + 1];
  const int64_t lane = threadIdx.x % kWarpSize;
  for (int64_t e = p.csr.rowptr[row] + lane; e < end; e += kWarpSize) {
    p.d_edge[p.csr.value_index(e)] = acc_t<T>(0);
  }
}

// The warp's number among those of blocks [first_block, ...).
__device__ __forceinline__ int64_t spmm_grad_warp(int64_t first_block) {
  return (static_cast<int64_t>(blockIdx.x) - first_block) * kSpmmGradWarps +
         threadIdx.x / kWarpSize;
}

// A warp per chunk of a hub source, then a warp per other source.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmGradThreads, kSpmmGradBlocks<T>)
    spmm_grad_kernel(SpmmGradParams<T, Index> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(SpmmGradEdge<Acc>, all_staged, kSpmmGradThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const Span span = static_cast<int64_t>(blockIdx.x) < p.split.blocks
                        ? chunk_span(p.csr, p.split, spmm_grad_warp(0))
                        : row_span(p.csr, p.split, spmm_grad_warp(p.split.blocks));
  if (span.row < 0) return;
  if (p.shape.tiles == 0) return clear_dots(p, span.row);
  const int lanes = p.shape.lanes;
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    const SpmmGradSource<T, kAligned> source = {tile, tile.load(p.x + span.row * p.x_stride),
                                                lane % lanes, t == 0, t + 1 == p.shape.tiles};
    Acc sum[kItems<T>] = {};
    const int kept = gather_source(p, span, source, all_staged + warp * kWarpSize, sum);
    if (lane >= lanes) continue;
    if (span.chunk < 0) {
      write_source(p, span.row, kept, tile, sum);
      continue;
    }
    Acc* partial = partial_sums<T>(p.split, p.shape, span.chunk, t);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) partial[i] = sum[i];
    if (t == 0 && lane == 0) p.split.kept[span.chunk] = kept;
  }
}

// A warp per hub source and tile: adds the partial sums of its chunks, in order.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmGradThreads, 4)
    spmm_grad_hub_kernel(SpmmGradParams<T, Index> p) {
  const int64_t chunk = spmm_grad_warp(0);
  const Span hub = hub_from(p.csr, p.split, chunk);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  const int64_t kept = kept_in_chunks(p.split, chunk, end);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int lanes = p.shape.lanes;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    acc_t<T> sum[kItems<T>] = {};
    add_chunks<T>(p.split, p.shape, t, chunk, end, sum);
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    if (lane < lanes) write_source(p, hub.row, kept, tile, sum);
  }
}

}  // namespace sgnn

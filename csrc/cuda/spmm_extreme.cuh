// Max and min aggregation: one warp per row, or chunk of a hub, and tile of columns, several
// neighbour rows per step.
//
// The warp is cut into groups of `lanes` lanes; group g takes the kept edges g, g + groups, ... of
// the row. Groups, and the chunks of a hub, are joined by an order that prefers the edge stored
// first: the result never depends on scheduling.
#pragma once

#include "device/edges.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"
#include "spmm_split.cuh"

namespace sgnn {

inline constexpr int kExtremeThreads = 128;
inline constexpr int kExtremeWarps = kExtremeThreads / kWarpSize;
inline constexpr int kExtremeBlocks = 4;
inline constexpr int kExtremeSteps = 2;  // neighbour rows in flight per lane

// The best message so far of one column; no edge yet when `offset` is negative. Values carry the
// sign of the search, so that larger is better.
template <typename Index, typename Acc>
struct Best {
  Acc value;
  Index offset;
};

template <typename T, typename Index>
struct ExtremeParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [M, K]
  EdgeFactors<Acc> factors;  // on the kept edges
  TileShape shape;           // of a row of x and y
  int64_t width;             // F
  const T* x;                // [K, F]
  int64_t x_stride;
  T* y;        // [M, F] contiguous
  Index* arg;  // [M, F] contiguous, or null
  Acc sign;    // 1 for the largest, -1 for the smallest
  HubSplit<Acc> split;
  Best<Index, Acc>* best;  // [chunks, tiles, lanes, kItems]: the chunks' results

  // Where this lane keeps its part of a chunk's tile `t`.
  __device__ __forceinline__ Best<Index, Acc>* best_of(int64_t chunk, int64_t t) const {
    const int64_t lane = threadIdx.x % shape.lanes;
    return best + ((chunk * shape.tiles + t) * shape.lanes + lane) * kItems<T>;
  }
};

template <typename Index, typename Acc>
struct alignas(16) ExtremeEdge {
  int64_t col;
  Index offset;  // stored position, counted from the start of the row
  Acc coefficient;
};

// NaN is better than every number; among equals the lower offset is.
template <typename Index, typename Acc>
__device__ __forceinline__ bool is_better(const Best<Index, Acc>& a, const Best<Index, Acc>& b) {
  if (a.offset < 0) return false;
  if (b.offset < 0) return true;
  const bool a_nan = a.value != a.value;
  const bool b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan;
  if (!a_nan && a.value != b.value) return a.value > b.value;
  return a.offset < b.offset;
}

template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void take_neighbours(const ExtremeParams<T, Index>& p,
                                                const ExtremeEdge<Index, acc_t<T>>* staged,
                                                int first, int groups, int count,
                                                const Tile<T, kAligned>& tile,
                                                Best<Index, acc_t<T>>* best) {
  using Acc = acc_t<T>;
  Pack<T> pack[kExtremeSteps];
#pragma unroll
  for (int s = 0; s < kExtremeSteps; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    pack[s] = tile.load(p.x + staged[slot].col * p.x_stride);
  }
#pragma unroll
  for (int s = 0; s < kExtremeSteps; ++s) {
    const int slot = first + s * groups;
    if (slot >= count) continue;
    const ExtremeEdge<Index, Acc> edge = staged[slot];
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Best<Index, Acc> candidate = {edge.coefficient * to_acc(pack[s].item[i]), edge.offset};
      if (is_better(candidate, best[i])) best[i] = candidate;
    }
  }
}

// Joins the groups: every lane ends with the best of its column over the whole warp.
template <typename Index, typename Acc>
__device__ __forceinline__ void join_groups(Best<Index, Acc>& best, int lanes) {
  for (int offset = lanes; offset < kWarpSize; offset *= 2) {
    const Best<Index, Acc> other = {__shfl_xor_sync(kFullWarp, best.value, offset),
                                    __shfl_xor_sync(kFullWarp, best.offset, offset)};
    if (is_better(other, best)) best = other;
  }
}

template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_extreme(const ExtremeParams<T, Index>& p, int64_t row,
                                              const Tile<T, kAligned>& tile,
                                              const Best<Index, acc_t<T>>* best) {
  using Acc = acc_t<T>;
  const int64_t begin = p.csr.rowptr[row];
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const bool found = best[i].offset >= 0;
    pack.item[i] = from_acc<T>(found ? p.sign * best[i].value : Acc(0));
    if (p.arg == nullptr || !tile.inside(i)) continue;
    const Index id = found ? static_cast<Index>(p.csr.value_index(begin + best[i].offset)) : -1;
    p.arg[row * p.width + tile.column(i)] = id;
  }
  tile.store(p.y + row * p.width, pack);
}

// The warp's number among those of blocks [first_block, ...).
__device__ __forceinline__ int64_t extreme_warp(int64_t first_block) {
  return (static_cast<int64_t>(blockIdx.x) - first_block) * kExtremeWarps + threadIdx.x / kWarpSize;
}

// Takes the edges of `span`; offsets count from `begin`, where its row starts.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void search_span(const ExtremeParams<T, Index>& p, const Span& span,
                                            int64_t begin, const Tile<T, kAligned>& tile,
                                            ExtremeEdge<Index, acc_t<T>>* staged,
                                            Best<Index, acc_t<T>>* best) {
  using Acc = acc_t<T>;
  const int lanes = p.shape.lanes;
  const int groups = kWarpSize / lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / lanes;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_edges<Index, Acc>(
        p.csr, p.factors, first, span.end,
        [&](int slot, int64_t position, int64_t id) {
          const int64_t col = p.csr.col[position];
          staged[slot] = {col, static_cast<Index>(position - begin),
                          p.sign * p.factors.coefficient(id, col)};
        },
        [](int64_t) {});
    for (int base = 0; base < count; base += kExtremeSteps * groups) {
      take_neighbours(p, staged, base + group, groups, count, tile, best);
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) join_groups(best[i], lanes);
}

// A warp per chunk of a hub, then per other row.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kExtremeThreads, kExtremeBlocks)
    spmm_extreme_kernel(ExtremeParams<T, Index> p) {
  using Acc = acc_t<T>;
  using Edge = ExtremeEdge<Index, Acc>;
  SGNN_SHARED(Edge, all_staged, kExtremeThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  Edge* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  const Span span = static_cast<int64_t>(blockIdx.x) < p.split.blocks
                        ? chunk_span(p.csr, p.split, extreme_warp(0))
                        : row_span(p.csr, p.split, extreme_warp(p.split.blocks));
  if (span.row < 0) return;
  const int64_t begin = p.csr.rowptr[span.row];
  const int lanes = p.shape.lanes;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    Best<Index, Acc> best[kItems<T>];
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) best[i] = {Acc(0), Index(-1)};
    search_span(p, span, begin, tile, staged, best);
    if (lane >= lanes) continue;
    if (span.chunk < 0) {
      write_extreme(p, span.row, tile, best);
      continue;
    }
    Best<Index, Acc>* out = p.best_of(span.chunk, t);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) out[i] = best[i];
  }
}

// A warp per hub and tile: joins its chunks.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kExtremeThreads, kExtremeBlocks)
    spmm_extreme_hub_kernel(ExtremeParams<T, Index> p) {
  using Acc = acc_t<T>;
  const int64_t chunk = extreme_warp(0);
  const Span hub = hub_from(p.csr, p.split, chunk);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int lanes = p.shape.lanes;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    Best<Index, Acc> best[kItems<T>];
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) best[i] = {Acc(0), Index(-1)};
    for (int64_t c = chunk + lane / lanes; c < end; c += kWarpSize / lanes) {
      const Best<Index, Acc>* part = p.best_of(c, t);
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        if (is_better(part[i], best[i])) best[i] = part[i];
      }
    }
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) join_groups(best[i], lanes);
    if (lane < lanes) write_extreme(p, hub.row, tile, best);
  }
}

}  // namespace sgnn

// SpMM: one warp per row, per chunk of a hub row, or per several short rows, and tile of columns.
//
// The warp is cut into groups of `lanes` lanes, each of which moves a neighbour's tile at once.
// Sums are added in an order that the graph alone decides, so the result never depends on
// scheduling.
#pragma once

#include "spmm_finish.cuh"
#include "spmm_short.cuh"
#include "spmm_sum.cuh"

namespace sgnn {

inline constexpr int kSpmmThreads = 128;
inline constexpr int kSpmmWarps = kSpmmThreads / kWarpSize;

// Resident blocks asked of the compiler. Left to itself it saves registers by finishing one row
// before it loads the next, which costs the loads in flight.
template <typename T, bool kAligned>
inline constexpr int kSpmmBlocks = !kAligned       ? 4
                                   : sizeof(T) < 8 ? 7
                                                   : 5;
template <typename T, bool kAligned>
inline constexpr int kSpmmShortBlocks = !kAligned       ? 4
                                        : sizeof(T) < 8 ? 6
                                                        : 5;

// The warp's number among those of blocks [first_block, ...).
__device__ __forceinline__ int64_t spmm_warp(int64_t first_block) {
  return (static_cast<int64_t>(blockIdx.x) - first_block) * kSpmmWarps + threadIdx.x / kWarpSize;
}

template <bool kAligned, typename T, typename Index>
__device__ __forceinline__ void run_span(const SpmmParams<T, Index>& p, const Span& span,
                                         StagedEdge<Index, acc_t<T>>* staged) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % p.shape.lanes, p.shape.lanes, p.width);
    acc_t<T> sum[kItems<T>] = {};
    const int64_t kept = sum_edges(p, staged, span.begin, span.end, tile, sum);
    if (lane >= p.shape.lanes) continue;
    if (span.chunk < 0) {
      write_row(p, span.row, kept, tile, sum);
      continue;
    }
    acc_t<T>* partial = partial_sums<T>(p.split, p.shape, span.chunk, t);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) partial[i] = sum[i];
    if (t == 0 && lane == 0) p.split.kept[span.chunk] = kept;
  }
}

// A warp per chunk of a hub row, then a warp per other row.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmThreads, (kSpmmBlocks<T, kAligned>))
    spmm_kernel(SpmmParams<T, Index> p) {
  using Edge = StagedEdge<Index, acc_t<T>>;
  SGNN_SHARED(Edge, staged, kSpmmThreads);
  const Span span = static_cast<int64_t>(blockIdx.x) < p.split.blocks
                        ? chunk_span(p.csr, p.split, spmm_warp(0))
                        : row_span(p.csr, p.split, spmm_warp(p.split.blocks));
  if (span.row < 0) return;
  run_span<kAligned>(p, span, staged + threadIdx.x / kWarpSize * kWarpSize);
}

// A warp per chunk of a hub row, then a lane group per other row. For rows of one tile.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmThreads, (kSpmmShortBlocks<T, kAligned>))
    spmm_short_kernel(SpmmParams<T, Index> p) {
  using Edge = StagedEdge<Index, acc_t<T>>;
  SGNN_SHARED(Edge, staged, kSpmmThreads);
  Edge* own = staged + threadIdx.x / kWarpSize * kWarpSize;
  if (static_cast<int64_t>(blockIdx.x) < p.split.blocks) {
    const Span span = chunk_span(p.csr, p.split, spmm_warp(0));
    if (span.row >= 0) run_span<kAligned>(p, span, own);
    return;
  }
  const int groups = kWarpSize / p.shape.lanes;
  const int64_t first_row = spmm_warp(p.split.blocks) * groups;
  unsigned longer = sum_short_rows<kAligned>(p, first_row);
  while (longer != 0) {
    const int group = (__ffs(static_cast<int>(longer)) - 1) / p.shape.lanes;
    longer &= longer - 1;
    run_span<kAligned>(p, row_span(p.csr, p.split, first_row + group), own);
  }
}

// A warp per hub row and tile: adds the partial sums of its chunks, in order.
template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmThreads, 4) spmm_hub_kernel(SpmmParams<T, Index> p) {
  using Acc = acc_t<T>;
  const int64_t chunk = spmm_warp(0);
  const Span hub = hub_from(p.csr, p.split, chunk);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t kept = kept_in_chunks(p.split, chunk, end);
  const int lanes = p.shape.lanes;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    Acc sum[kItems<T>] = {};
    add_chunks<T>(p.split, p.shape, t, chunk, end, sum);
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    if (lane < lanes) write_row(p, hub.row, kept, tile, sum);
  }
}

}  // namespace sgnn

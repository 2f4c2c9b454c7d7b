// Row-split SpMM: one warp per row and tile of columns, several neighbour rows per step.
//
// The warp is cut into groups of `lanes` lanes; group g sums the kept edges g, g + groups, ... of
// the row, and the groups are added in a fixed tree: the result never depends on scheduling.
#pragma once

#include "device/edges.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kSpmmThreads = 128;
inline constexpr int kSpmmWarps = kSpmmThreads / kWarpSize;

// Neighbour rows in flight per lane: one load each when aligned, kItems<T> loads when striped.
template <bool kAligned>
inline constexpr int kSpmmSteps = kAligned ? 4 : 2;

// Resident blocks asked of the compiler. Left to itself it saves registers by finishing one row
// before it loads the next, which costs the loads in flight.
template <typename T, bool kAligned>
inline constexpr int kSpmmBlocks = kAligned && sizeof(T) < 8 ? 8 : 5;

template <typename T, typename Index>
struct SpmmParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [M, K]
  EdgeFactors<Acc> factors;  // on the kept edges
  TileShape shape;           // of a row of x and y
  int64_t width;             // F
  const T* x;                // [K, F]
  int64_t x_stride;
  T* y;                  // [M, F] contiguous
  const Acc* row_scale;  // [M] or null
  const Acc* bias;       // [F] or null
  const Acc* row_bias;   // [M] or null
  bool mean;
  bool relu;
};

// Adds kStep staged edges per group, from `first` on. Steps past `count` load the last edge again
// and add zero by selection, never by a product that an Inf could turn into NaN; a branch instead
// would let the compiler wait for one load before it starts the next. kFull: no step is past it.
template <int kStep, bool kFull, typename T, typename Index, bool kAligned>
__device__ __forceinline__ void add_neighbours(const SpmmParams<T, Index>& p,
                                               const StagedEdge<Index, acc_t<T>>* staged, int first,
                                               int groups, int count, const Tile<T, kAligned>& tile,
                                               acc_t<T>* sum) {
  using Acc = acc_t<T>;
  Pack<T> pack[kStep];
  Acc coefficient[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups;
    const bool valid = kFull || slot < count;
    const StagedEdge<Index, Acc> edge = staged[valid ? slot : count - 1];
    coefficient[s] = valid ? edge.coefficient : Acc(0);
    pack[s] = tile.load(p.x + static_cast<int64_t>(edge.col) * p.x_stride);
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const bool valid = kFull || first + s * groups < count;
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Acc value = to_acc(pack[s].item[i]);
      sum[i] += coefficient[s] * (valid ? value : Acc(0));
    }
  }
}

// Sums the kept edges of `row` into `sum`, complete in every lane group. Returns their number.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ int64_t sum_row(const SpmmParams<T, Index>& p,
                                           StagedEdge<Index, acc_t<T>>* staged, int64_t row,
                                           const Tile<T, kAligned>& tile, acc_t<T>* sum) {
  const int lanes = p.shape.lanes;
  const int groups = kWarpSize / lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / lanes;
  const int64_t end = p.csr.rowptr[row + 1];
  int64_t kept = 0;
  for (int64_t first = p.csr.rowptr[row]; first < end; first += kWarpSize) {
    const int count = stage_edges<Index, acc_t<T>>(
        p.csr, p.factors, first, end,
        [&](int slot, int64_t position, int64_t id) {
          const Index col = p.csr.col[position];
          staged[slot] = {col, p.factors.coefficient(id, col)};
        },
        [](int64_t) {});
    kept += count;
    constexpr int kStep = kSpmmSteps<kAligned>;
    int base = 0;
    for (; count - base >= kStep * groups; base += kStep * groups) {
      add_neighbours<kStep, true>(p, staged, base + group, groups, count, tile, sum);
    }
    if (count - base > groups) {
      add_neighbours<kStep, false>(p, staged, base + group, groups, count, tile, sum);
    } else if (count > base) {
      add_neighbours<1, false>(p, staged, base + group, groups, count, tile, sum);
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) sum[i] = sum_lanes(sum[i], lanes, kWarpSize);
  return kept;
}

// y[row] = act(scale * sum + bias) on the tile's columns, written by the first lane group.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_row(const SpmmParams<T, Index>& p, int64_t row, int64_t kept,
                                          const Tile<T, kAligned>& tile, const acc_t<T>* sum) {
  using Acc = acc_t<T>;
  Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[row];
  if (p.mean) scale /= static_cast<Acc>(kept);
  const Acc row_bias = p.row_bias == nullptr ? Acc(0) : p.row_bias[row];
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    Acc value = (kept > 0 ? scale * sum[i] : Acc(0)) + row_bias;
    if (p.bias != nullptr && tile.inside(i)) value += p.bias[tile.column(i)];
    if (p.relu && value < Acc(0)) value = Acc(0);
    pack.item[i] = from_acc<T>(value);
  }
  tile.store(p.y + row * p.width, pack);
}

template <typename T, typename Index, bool kAligned>
__global__ void __launch_bounds__(kSpmmThreads, (kSpmmBlocks<T, kAligned>))
    spmm_kernel(SpmmParams<T, Index> p) {
  using Edge = StagedEdge<Index, acc_t<T>>;
  SGNN_SHARED(Edge, staged, kSpmmThreads);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kSpmmWarps + warp;
  if (row >= p.csr.num_rows) return;
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % p.shape.lanes, p.shape.lanes, p.width);
    acc_t<T> sum[kItems<T>] = {};
    const int64_t kept = sum_row(p, staged + warp * kWarpSize, row, tile, sum);
    if (lane < p.shape.lanes) write_row(p, row, kept, tile, sum);
  }
}

}  // namespace sgnn

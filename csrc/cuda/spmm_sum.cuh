// The sums of SpMM: parameters, and a run of one row's edges summed by a warp.
#pragma once

#include "device/edges.cuh"
#include "device/tile.cuh"
#include "sgnn/csr.h"
#include "sgnn/types.h"
#include "spmm_split.cuh"

namespace sgnn {

// Neighbour rows in flight per lane: one load each when aligned, kItems<T> loads when striped.
template <bool kAligned>
inline constexpr int kSpmmSteps = kAligned ? 4 : 2;

template <typename T, typename Index>
struct SpmmParams {
  using Acc = acc_t<T>;
  CsrView<Index> csr;        // [M, K]
  EdgeFactors<Acc> factors;  // on the kept edges
  TileShape shape;           // of a row of x and y
  HubSplit<Acc> split;
  int64_t width;  // F
  const T* x;     // [K, F]
  int64_t x_stride;
  void* y;               // `out` [M, F] contiguous
  DType out;             // with acc_t<T> as its accumulator
  const Acc* row_scale;  // [M] or null
  const Acc* bias;       // [F] or null
  const Acc* row_bias;   // [M] or null
  bool mean;
  bool relu;
  const void* residual;  // `out` [M, F] or null
  int64_t residual_stride;
  uint32_t dropout_threshold;  // kKeepAll: no dropout
  Acc dropout_scale;
  const int64_t* seed;  // [1]
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

// Sums the kept edges among positions [first, end), all of one row, into `sum`, complete in every
// lane group: group g takes the kept edges g, g + groups, ... of every 32 positions, and the groups
// are added in a fixed tree. Returns the number kept.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ int64_t sum_edges(const SpmmParams<T, Index>& p,
                                             StagedEdge<Index, acc_t<T>>* staged, int64_t first,
                                             int64_t end, const Tile<T, kAligned>& tile,
                                             acc_t<T>* sum) {
  const int lanes = p.shape.lanes;
  const int groups = kWarpSize / lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / lanes;
  int64_t kept = 0;
  for (; first < end; first += kWarpSize) {
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

}  // namespace sgnn

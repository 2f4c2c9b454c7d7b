// GATv2's attention backward. A warp along the targets takes the rows and chunks of one share,
// whose part in the gradient of att it keeps in registers; the shares' parts are added in their
// order. A warp along the sources takes a row or a chunk of a hub.
#pragma once

#include "gatv2_grad_pairs.cuh"

namespace sgnn {

inline constexpr int64_t kShareRows = 8;      // of a share, at least
inline constexpr int64_t kShareWarps = 8192;  // of a launch, at most
inline constexpr int kColumnLanes = 32;       // of a block that adds shares
inline constexpr int kShareLanes = 16;

// Resident blocks, asked of the compiler: fewer where more sums, tiles or addresses are held.
template <typename T, typename Layout, bool kTargets>
inline constexpr int kPairBlocks =
    kAttentionBlocks - (kTargets && (Layout::kWide || sizeof(T) == 2) ? 1 : 0) -
    (Layout::kWide && sizeof(T) == 2 ? 1 : 0);

// What only the pass along the targets needs.
template <typename T>
struct Gatv2TargetsParams : Gatv2GradParams<T> {
  using Acc = acc_t<T>;
  const T* y;
  const Acc* row_max;
  const Acc* inv_sum;
  int64_t shares;
  Acc* att_shares;  // [shares, H, D]
};

// Writes the gradient of a row, or the part of a chunk of it.
template <typename T, typename Layout>
__device__ __forceinline__ void write_gradient(const Gatv2GradParams<T>& p, const Span& span,
                                               const Gatv2Row<T, Layout>& row, acc_t<T>* sum) {
  add_groups(p, sum);
  if (span.chunk < 0) {
    write_head(p, span.row, row.head, row.tile, sum, acc_t<T>(1), p.out);
  } else {
    write_record(p, row.tile, sum, record_of(p, span.chunk, row.head) + kRecordHead);
  }
}

// The statistics of the warp's target, from what the forward kept.
template <typename Layout, typename T>
__device__ __forceinline__ TargetStats<acc_t<T>> target_stats(const Gatv2TargetsParams<T>& p,
                                                              int64_t pair) {
  acc_t<T> delta = acc_t<T>(0);
#pragma unroll 1
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const PairTile<T, Layout> tile = attention_tile<Layout::kAligned>(p, t);
    delta += dot_part(tile, tile.load(p.grad + pair * p.width), tile.load(p.y + pair * p.width));
  }
  return {p.row_max[pair], p.inv_sum[pair], sum_lanes(delta, 1, p.shape.lanes)};
}

// Leaves the statistics of a target for the pass along the sources.
template <typename T>
__device__ __forceinline__ void store_stats(const Gatv2TargetsParams<T>& p, int64_t row,
                                            int64_t head, const TargetStats<acc_t<T>>& stats) {
  if (threadIdx.x % kWarpSize != 0) return;
  acc_t<T>* place = p.stats + row * 3 * p.heads + head;
  place[0] = stats.max;
  place[p.heads] = stats.inverse;
  place[2 * p.heads] = stats.delta;
}

// The edges of a unit of work: chunks of hubs come first, then the other rows.
template <typename T>
__device__ __forceinline__ Span span_of_unit(const AttentionParams<T>& p, int64_t unit) {
  return unit < p.split.chunks ? chunk_span(p.csr, p.split, unit)
                               : row_span(p.csr, p.split, unit - p.split.chunks);
}

// A warp per share and head. Share s takes the units s, s + shares, ...
template <typename T, typename Layout>
__global__ void __launch_bounds__(kAttentionThreads, kPairBlocks<T, Layout, true>)
    gatv2_grad_targets_kernel(Gatv2TargetsParams<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(Gatv2GradEdge<Acc>, all_staged, kAttentionThreads);
  Gatv2GradEdge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  const int64_t share = attention_warp(0) / p.heads;
  const int64_t head = attention_warp(0) % p.heads;
  if (share >= p.shares) return;
  const Acc* att = p.att + head * p.width;
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const PairTile<T, Layout> tile = attention_tile<Layout::kAligned>(p, t);
    Gatv2GradSums<T, true> sums;
    for (int64_t unit = share; unit < p.split.chunks + p.csr.num_rows; unit += p.shares) {
      const Span span = span_of_unit(p, unit);
      if (span.row < 0) continue;
      const int64_t pair = span.row * p.heads + head;
      const TargetStats<Acc> stats = target_stats<Layout>(p, pair);
      if (t == 0 && span.begin == p.csr.rowptr[span.row]) store_stats(p, span.row, head, stats);
      const T* near = p.near + pair * p.width;
      const T* grad = p.grad + pair * p.width;
      const Gatv2Row<T, Layout> row = {
          tile, t, head, near, grad, att, load_near(p, tile, near, att), tile.load(grad)};
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) sums.row[i] = Acc(0);
      differentiate_span<true>(p, span, row, [&](int64_t) { return stats; }, staged, sums);
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) sums.row[i] *= row.near.att[i];
      write_gradient(p, span, row, sums.row);
    }
    add_groups(p, sums.att);
    write_record(p, tile, sums.att, p.att_shares + (share * p.heads + head) * p.width);
  }
}

// A warp per source and head, or chunk of a hub source.
template <typename T, typename Layout>
__global__ void __launch_bounds__(kAttentionThreads, kPairBlocks<T, Layout, false>)
    gatv2_grad_sources_kernel(Gatv2GradParams<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(Gatv2GradEdge<Acc>, all_staged, kAttentionThreads);
  Gatv2GradEdge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  int64_t head;
  const Span span = span_of_warp(p, &head);
  if (span.row < 0) return;
  const T* near = p.near + (span.row * p.heads + head) * p.width;
  const Acc* att = p.att + head * p.width;
  const auto stats = [&](int64_t target) -> TargetStats<Acc> {
    const Acc* place = p.stats + target * 3 * p.heads + head;
    return {place[0], place[p.heads], place[2 * p.heads]};
  };
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const PairTile<T, Layout> tile = attention_tile<Layout::kAligned>(p, t);
    const NearTile<T> own = load_near(p, tile, near, att);
    const Gatv2Row<T, Layout> row = {tile, t, head, near, nullptr, att, own, own.row};
    Gatv2GradSums<T, false> sums;
    differentiate_span<false>(p, span, row, stats, staged, sums);
    write_gradient(p, span, row, sums.row);
  }
}

// A warp per hub, head and tile: adds its chunks, in order.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gatv2_grad_hub_kernel(Gatv2GradParams<T> p) {
  const HubOfWarp hub = hub_of_warp(p);
  if (hub.row >= 0) write_hub<kAligned>(p, hub, p.out);
}

// out [columns] = the sum of `shares` rows. A block takes kColumnLanes columns; its row lanes take
// every kShareLanes-th row and are added in a tree.
template <typename Acc>
__global__ void __launch_bounds__(kColumnLanes* kShareLanes)
    gatv2_grad_att_kernel(const Acc* att_shares, int64_t shares, int64_t columns, Acc* out) {
  SGNN_SHARED(Acc, parts, kColumnLanes * kShareLanes);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread / kColumnLanes;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kColumnLanes + thread % kColumnLanes;
  Acc sum = Acc(0);
  for (int64_t s = lane; s < shares && column < columns; s += kShareLanes) {
    sum += att_shares[s * columns + column];
  }
  parts[thread] = sum;
  for (int half = kShareLanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) parts[thread] += parts[thread + half * kColumnLanes];
  }
  if (lane == 0 && column < columns) out[column] = parts[thread];
}

}  // namespace sgnn

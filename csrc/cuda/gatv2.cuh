// GATv2's attention forward. A score takes a row per edge, and the sum takes the same row: each
// lane group keeps a softmax of its own, so that a row that fits a tile is gathered once, and the
// groups are merged at the end. Wider rows are gathered once per tile.
#pragma once

#include "attention_sums.cuh"
#include "gatv2_pair.cuh"
#include "sgnn/gatv2.h"

namespace sgnn {

template <typename T>
struct Gatv2Params : AttendParams<T> {
  using Acc = acc_t<T>;
  const T* x;      // [K, H, D]
  const T* x_dst;  // [M, H, D]
  const Acc* att;  // [H, D]
};

template <typename Acc>
struct alignas(16) Gatv2Edge {
  int64_t col;
  Acc keep;  // the factor of dropout
};

// What a warp knows of its target and its tile.
template <typename T, typename Layout>
struct Gatv2Target {
  PairTile<T, Layout> tile;
  int64_t t;
  int64_t head;
  const T* row;         // of x_dst
  const acc_t<T>* att;  // of the head
  NearTile<T> near;
};

// Stages the kept edges of 32 stored positions. Returns their number, the same in every lane.
template <typename T>
__device__ __forceinline__ int stage_gatv2(const Gatv2Params<T>& p, const Span& span, int64_t head,
                                           int64_t first, Gatv2Edge<acc_t<T>>* staged) {
  const LaneEdge edge = lane_edge(p, first + threadIdx.x % kWarpSize, span.end);
  const unsigned votes = __ballot_sync(kFullWarp, edge.kept);
  if (edge.kept) staged[kept_slot(votes)] = {edge.col, dropout_factor(p, edge.id, head)};
  __syncwarp();
  return __popc(votes);
}

// Takes kStep staged edges per group, from `first` on, into the group's softmax.
template <int kStep, typename T, typename Layout>
__device__ __forceinline__ void add_pairs(const Gatv2Params<T>& p,
                                          const Gatv2Target<T, Layout>& target,
                                          const Gatv2Edge<acc_t<T>>* staged, int first, int groups,
                                          int count, AttentionSums<T, false>& sums) {
  using Acc = acc_t<T>;
  const auto row_of_step = [&](int s) {
    const int64_t col = staged[step_slot(first, s, groups, count)].col;
    return p.x + (col * p.heads + target.head) * p.width;
  };
  Pack<T> far[kStep] = {};
#pragma unroll
  for (int s = 0; s < kStep && p.width > 0; ++s) far[s] = target.tile.load(row_of_step(s));
  Acc score[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    score[s] = score_part(target.tile, target.near, far[s], p.slope);
  }
  each_other_tile<Layout>(p, target.t, [&](const PairTile<T, Layout>& tile) {
    const NearTile<T> near = load_near(p, tile, target.row, target.att);
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      score[s] += score_part(tile, near, tile.load(row_of_step(s)), p.slope);
    }
  });
  Acc highest = static_cast<Acc>(-INFINITY);
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    score[s] = sum_lanes(score[s], 1, p.shape.lanes);
    if (first + s * groups < count) highest = larger(score[s], highest);
  }
  sums.raise(highest);
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups;
    if (slot >= count) continue;
    const Acc weight = exp_of(score[s] - sums.stats.shift());
    sums.stats.sum += weight;
    const Acc dropped = weight * staged[slot].keep;
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) sums.y[i] += dropped * to_acc(far[s].item[i]);
  }
}

// The sums over `span`, complete in every lane group.
template <typename T, typename Layout>
__device__ __forceinline__ AttentionSums<T, false> attend_pairs(
    const Gatv2Params<T>& p, const Span& span, const Gatv2Target<T, Layout>& target,
    Gatv2Edge<acc_t<T>>* staged) {
  constexpr int kStep = kPairSteps<Layout, 1>;
  const int lanes = p.shape.lanes;
  const int groups = kWarpSize / lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / lanes;
  AttentionSums<T, false> sums;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_gatv2(p, span, target.head, first, staged);
    sums.kept = sums.kept || count > 0;
    for (int base = 0; base < count; base += kStep * groups) {
      add_pairs<kStep>(p, target, staged, base + group, groups, count, sums);
    }
    __syncwarp();
  }
  sums.raise(max_lanes(sums.stats.max, lanes, kWarpSize));
  sums.stats.sum = sum_lanes(sums.stats.sum, lanes, kWarpSize);
  add_groups(p, sums.y);
  return sums;
}

template <typename T, typename Layout>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gatv2_kernel(Gatv2Params<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(Gatv2Edge<Acc>, all_staged, kAttentionThreads);
  Gatv2Edge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  int64_t head;
  const Span span = span_of_warp(p, &head);
  if (span.row < 0) return;
  const T* row = p.x_dst + (span.row * p.heads + head) * p.width;
  const Acc* att = p.att + head * p.width;
  for (int64_t t = 0; t == 0 || t < p.shape.tiles; ++t) {
    const PairTile<T, Layout> tile = attention_tile<Layout::kAligned>(p, t);
    const Gatv2Target<T, Layout> target = {tile, t, head, row, att, load_near(p, tile, row, att)};
    write_sums(p, span, head, t == 0, tile, attend_pairs(p, span, target, staged));
  }
}

}  // namespace sgnn

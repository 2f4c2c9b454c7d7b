// Graph attention forward: softmax and weighted sum in one pass over a row's edges. The maximum
// grows 32 edges at a time, and the sums are rescaled when it does.
#pragma once

#include "attention_sums.cuh"
#include "sgnn/gat.h"

namespace sgnn {

template <typename T>
struct GatParams : AttendParams<T> {
  using Acc = acc_t<T>;
  const T* x;             // [K, H, D]
  const Acc* s_dst;       // [M, H]
  const Acc* s_src;       // [K, H]
  const Acc* edge_score;  // [nnz, H] by edge id, or null
};

template <typename Acc>
struct alignas(16) GatEdge {
  int64_t col;
  Acc weight;
  Acc positive;  // the weight where the sum is positive, else 0
};

// The sum whose activation is the score of an edge.
template <typename Acc>
__device__ __forceinline__ Acc gat_total(Acc dst, Acc src, const Acc* edge_score, int64_t place) {
  return (edge_score == nullptr ? src : src + edge_score[place]) + dst;
}

// Stages the kept edges of 32 stored positions and raises `sums` to their scores. Returns their
// number, the same in every lane.
template <typename T, bool kPositive>
__device__ __forceinline__ int stage_gat(const GatParams<T>& p, const Span& span, int64_t head,
                                         int64_t first, GatEdge<acc_t<T>>* staged,
                                         AttentionSums<T, kPositive>& sums) {
  using Acc = acc_t<T>;
  const LaneEdge edge = lane_edge(p, first + threadIdx.x % kWarpSize, span.end);
  const unsigned votes = __ballot_sync(kFullWarp, edge.kept);
  if (votes == 0) return 0;
  const Acc lowest = static_cast<Acc>(-INFINITY);
  Acc total = Acc(0);
  Acc score = lowest;
  if (edge.kept) {
    total = gat_total(p.s_dst[span.row * p.heads + head], p.s_src[edge.col * p.heads + head],
                      p.edge_score, edge.id * p.heads + head);
    score = leaky(total, p.slope);
  }
  sums.raise(max_lanes(larger(score, lowest), 1, kWarpSize));
  sums.kept = true;
  if (edge.kept) {
    const Acc weight = exp_of(score - sums.stats.shift());
    const Acc dropped = weight * dropout_factor(p, edge.id, head);
    const bool positive = total > Acc(0);
    sums.stats.sum += weight;
    sums.positive_weight += positive ? weight : Acc(0);
    staged[kept_slot(votes)] = {edge.col, dropped, positive ? dropped : Acc(0)};
  }
  __syncwarp();
  return __popc(votes);
}

// Takes kStep staged edges per group, from `first` on. Steps past `count` repeat the last edge and
// add zero by selection, never by a product.
template <int kStep, typename T, bool kAligned, bool kPositive>
__device__ __forceinline__ void add_sources(const GatParams<T>& p, const Tile<T, kAligned>& tile,
                                            int64_t head, const GatEdge<acc_t<T>>* staged,
                                            int first, int groups, int count,
                                            AttentionSums<T, kPositive>& sums) {
  using Acc = acc_t<T>;
  Pack<T> pack[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    pack[s] = tile.load(p.x + (staged[slot].col * p.heads + head) * p.width);
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups;
    const bool valid = slot < count;
    const Acc weight = valid ? staged[slot].weight : Acc(0);
    const Acc positive = kPositive && valid ? staged[slot].positive : Acc(0);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Acc value = valid ? to_acc(pack[s].item[i]) : Acc(0);
      sums.y[i] += weight * value;
      if constexpr (kPositive) sums.positive[i] += positive * value;
    }
  }
}

// The sums over `span`, complete in every lane group.
template <typename T, bool kAligned, bool kPositive>
__device__ __forceinline__ AttentionSums<T, kPositive> attend_span(const GatParams<T>& p,
                                                                   const Span& span, int64_t head,
                                                                   const Tile<T, kAligned>& tile,
                                                                   GatEdge<acc_t<T>>* staged) {
  constexpr int kStep = kAttentionSteps<kAligned>;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  AttentionSums<T, kPositive> sums;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_gat(p, span, head, first, staged, sums);
    for (int base = 0; base < count && p.width > 0; base += kStep * groups) {
      add_sources<kStep>(p, tile, head, staged, base + group, groups, count, sums);
    }
    __syncwarp();
  }
  sums.stats.sum = sum_lanes(sums.stats.sum, 1, kWarpSize);
  sums.positive_weight = sum_lanes(sums.positive_weight, 1, kWarpSize);
  add_groups(p, sums.y);
  if constexpr (kPositive) add_groups(p, sums.positive);
  return sums;
}

template <typename T, bool kAligned, bool kPositive>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks) gat_kernel(GatParams<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(GatEdge<Acc>, all_staged, kAttentionThreads);
  GatEdge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  int64_t head;
  const Span span = span_of_warp(p, &head);
  if (span.row < 0) return;
  for (int64_t t = 0; t == 0 || t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile = attention_tile<kAligned>(p, t);
    write_sums(p, span, head, t == 0, tile,
               attend_span<T, kAligned, kPositive>(p, span, head, tile, staged));
  }
}

}  // namespace sgnn

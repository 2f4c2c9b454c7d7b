// Graph attention backward. Targets: delta, the gradient of s_dst and what a source needs of them,
// one lane group per row and head. Sources, over the transpose: a row of the gradient is gathered
// once, for grad_x and for the edge's dot product.
#pragma once

#include "attention.cuh"
#include "gat.cuh"
#include "sgnn/gat.h"

namespace sgnn {

template <typename T>
struct GatTargetsParams {
  using Acc = acc_t<T>;
  int64_t pairs;  // M * H
  int64_t heads;
  int64_t width;
  TileShape shape;  // of one head's columns
  Acc slope;
  const T* grad;
  const T* y;
  const T* positive;  // or null
  const Acc* positive_weight;
  const Acc* s_dst;
  const Acc* row_max;
  const Acc* inv_sum;
  Acc* stats;     // [M, 4, H]
  Acc* grad_dst;  // [M, H]
};

template <typename T>
__device__ __forceinline__ void write_stats(const GatTargetsParams<T>& p, int64_t pair,
                                            acc_t<T> delta, acc_t<T> positive) {
  using Acc = acc_t<T>;
  Acc* stats = p.stats + pair / p.heads * 4 * p.heads + pair % p.heads;
  stats[0] = p.s_dst[pair];
  stats[p.heads] = p.row_max[pair];
  stats[2 * p.heads] = p.inv_sum[pair];
  stats[3 * p.heads] = delta;
  const bool known = p.positive != nullptr;
  p.grad_dst[pair] =
      known ? (Acc(1) - p.slope) * (positive - delta * p.positive_weight[pair]) : Acc(0);
}

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gat_grad_targets_kernel(GatTargetsParams<T> p) {
  using Acc = acc_t<T>;
  const int lanes = p.shape.lanes;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  const int64_t mine = attention_warp(0) * (kWarpSize / lanes) + lane / lanes;
  const int64_t pair = mine < p.pairs ? mine : p.pairs - 1;
  Acc delta = Acc(0);
  Acc positive = Acc(0);
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    const Pack<T> grad = tile.load(p.grad + pair * p.width);
    const Pack<T> y = tile.load(p.y + pair * p.width);
    const Pack<T> part = p.positive == nullptr ? y : tile.load(p.positive + pair * p.width);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Acc value = tile.inside(i) ? to_acc(grad.item[i]) : Acc(0);
      delta += value * (tile.inside(i) ? to_acc(y.item[i]) : Acc(0));
      positive += value * (tile.inside(i) ? to_acc(part.item[i]) : Acc(0));
    }
  }
  delta = sum_lanes(delta, 1, lanes);
  positive = sum_lanes(positive, 1, lanes);
  if (lane % lanes == 0 && mine < p.pairs) write_stats(p, pair, delta, positive);
}

template <typename T>
struct GatSourcesParams : AttentionParams<T> {
  using Acc = acc_t<T>;
  const T* x;             // [K, H, D]
  const T* grad;          // [M, H, D]
  const Acc* s_src;       // [K, H]
  const Acc* edge_score;  // [nnz, H] by edge id, or null
  const Acc* stats;       // [M, 4, H]
  T* grad_x;              // [K, H, D]
  Acc* grad_src;          // [K, H]
  Acc* grad_score;        // [nnz, H] by edge id, or null
};

// An edge's gradient is dot_scale * dot - shift.
template <typename Acc>
struct alignas(16) GatGradEdge {
  int64_t col;
  int64_t id;
  Acc weight;  // of the gathered row
  Acc dot_scale;
  Acc shift;
};

template <typename T>
struct GatGradSums {
  using Acc = acc_t<T>;
  Acc source = Acc(0);  // a lane's part until the end
  Acc x[kItems<T>] = {};
};

// What a warp knows of its source and its tile.
template <typename T, bool kAligned>
struct GatSource {
  Tile<T, kAligned> tile;
  Pack<T> x;
  int64_t row;
  int64_t head;
  bool first_tile;
};

template <typename T>
__device__ __forceinline__ GatGradEdge<acc_t<T>> weigh_edge(const GatSourcesParams<T>& p,
                                                            const LaneEdge& edge, int64_t row,
                                                            int64_t head) {
  using Acc = acc_t<T>;
  const Acc* target = p.stats + edge.col * 4 * p.heads + head;
  const Acc total =
      gat_total(target[0], p.s_src[row * p.heads + head], p.edge_score, edge.id * p.heads + head);
  const Acc alpha = exp_of(leaky(total, p.slope) - target[p.heads]) * target[2 * p.heads];
  const Acc weight = alpha * dropout_factor(p, edge.id, head);
  const Acc step = total > Acc(0) ? Acc(1) : p.slope;
  return {edge.col, edge.id, weight, step * weight, step * alpha * target[3 * p.heads]};
}

// Stages the kept edges of 32 stored positions. Returns their number, the same in every lane.
template <typename T, bool kAligned>
__device__ __forceinline__ int stage_gat_grad(const GatSourcesParams<T>& p,
                                              const GatSource<T, kAligned>& source,
                                              int64_t position, int64_t end,
                                              GatGradEdge<acc_t<T>>* staged) {
  const LaneEdge edge = lane_edge(p, position + threadIdx.x % kWarpSize, end);
  const unsigned votes = __ballot_sync(kFullWarp, edge.kept);
  if (edge.kept) {
    staged[kept_slot(votes)] = weigh_edge(p, edge, source.row, source.head);
  } else if (edge.valid && p.grad_score != nullptr) {
    p.grad_score[edge.id * p.heads + source.head] = acc_t<T>(0);
  }
  __syncwarp();
  return __popc(votes);
}

// Adds a tile's part of an edge's gradient, which is linear in the dot product.
template <typename T, bool kAligned>
__device__ __forceinline__ void add_change(const GatSourcesParams<T>& p,
                                           const GatSource<T, kAligned>& source,
                                           const GatGradEdge<acc_t<T>>& edge, acc_t<T> dot,
                                           GatGradSums<T>& sums) {
  using Acc = acc_t<T>;
  const Acc change = edge.dot_scale * dot - (source.first_tile ? edge.shift : Acc(0));
  sums.source += change;
  if (p.grad_score == nullptr) return;
  Acc* score = p.grad_score + edge.id * p.heads + source.head;
  *score = source.first_tile ? change : *score + change;
}

// Takes kStep staged edges per group, from `first` on. Steps past `count` repeat the last edge and
// add zero by selection, never by a product.
template <int kStep, typename T, bool kAligned>
__device__ __forceinline__ void add_gradients(const GatSourcesParams<T>& p,
                                              const GatSource<T, kAligned>& source,
                                              const GatGradEdge<acc_t<T>>* staged, int first,
                                              int count, GatGradSums<T>& sums) {
  using Acc = acc_t<T>;
  const int groups = kWarpSize / p.shape.lanes;
  Pack<T> pack[kStep];
  Acc dot[kStep] = {};
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    pack[s] = source.tile.load(p.grad + (staged[slot].col * p.heads + source.head) * p.width);
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups;
    const bool valid = slot < count;
    const Acc weight = valid ? staged[slot].weight : Acc(0);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const bool inside = valid && source.tile.inside(i);
      const Acc value = inside ? to_acc(pack[s].item[i]) : Acc(0);
      sums.x[i] += weight * value;
      dot[s] += inside ? to_acc(source.x.item[i]) * value : Acc(0);
    }
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const Acc total = sum_lanes(dot[s], 1, p.shape.lanes);
    const int slot = first + s * groups;
    const bool leads = static_cast<int>(threadIdx.x) % p.shape.lanes == 0;
    if (leads && slot < count) add_change(p, source, staged[slot], total, sums);
  }
}

// Heads without columns: every dot product is zero.
template <typename T, bool kAligned>
__device__ __forceinline__ void add_empty(const GatSourcesParams<T>& p,
                                          const GatSource<T, kAligned>& source,
                                          const GatGradEdge<acc_t<T>>* staged, int count,
                                          GatGradSums<T>& sums) {
  const int slot = static_cast<int>(threadIdx.x % kWarpSize);
  if (slot < count) add_change(p, source, staged[slot], acc_t<T>(0), sums);
}

// The sums over `span`, complete in every lane group.
template <typename T, bool kAligned>
__device__ __forceinline__ GatGradSums<T> gather_gradients(const GatSourcesParams<T>& p,
                                                           const Span& span,
                                                           const GatSource<T, kAligned>& source,
                                                           GatGradEdge<acc_t<T>>* staged) {
  constexpr int kStep = kAttentionSteps<kAligned>;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  GatGradSums<T> sums;
  for (int64_t position = span.begin; position < span.end; position += kWarpSize) {
    const int count = stage_gat_grad(p, source, position, span.end, staged);
    if (p.width == 0) add_empty(p, source, staged, count, sums);
    for (int base = 0; base < count && p.width > 0; base += kStep * groups) {
      add_gradients<kStep>(p, source, staged, base + group, count, sums);
    }
    __syncwarp();
  }
  sums.source = sum_lanes(sums.source, 1, kWarpSize);
  add_groups(p, sums.x);
  return sums;
}

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gat_grad_sources_kernel(GatSourcesParams<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(GatGradEdge<Acc>, all_staged, kAttentionThreads);
  GatGradEdge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  int64_t head;
  const Span span = span_of_warp(p, &head);
  if (span.row < 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  const int64_t place = span.row * p.heads + head;
  const bool whole = span.chunk < 0;
  Acc* record = whole ? nullptr : record_of(p, span.chunk, head);
  Acc total = Acc(0);
  for (int64_t t = 0; t == 0 || t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile = attention_tile<kAligned>(p, t);
    const Pack<T> x = p.width > 0 ? tile.load(p.x + place * p.width) : Pack<T>{};
    const GatSource<T, kAligned> source = {tile, x, span.row, head, t == 0};
    const GatGradSums<T> sums = gather_gradients(p, span, source, staged);
    total += sums.source;
    if (whole) {
      write_head(p, span.row, head, tile, sums.x, Acc(1), p.grad_x);
    } else {
      write_record(p, tile, sums.x, record + kRecordHead);
    }
  }
  if (lane == 0) *(whole ? p.grad_src + place : record + kRecordSum) = total;
}

// A warp per hub source, head and tile: adds its chunks, in order.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gat_grad_hub_kernel(GatSourcesParams<T> p) {
  using Acc = acc_t<T>;
  const HubOfWarp hub = hub_of_warp(p);
  if (hub.row < 0) return;
  write_hub<kAligned>(p, hub, p.grad_x);
  if (blockIdx.y != 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  Acc source = Acc(0);
  for (int64_t c = hub.chunk + lane; c < hub.end; c += kWarpSize) {
    source += record_of(p, c, hub.head)[kRecordSum];
  }
  source = sum_lanes(source, 1, kWarpSize);
  if (lane == 0) p.grad_src[hub.row * p.heads + hub.head] = source;
}

}  // namespace sgnn

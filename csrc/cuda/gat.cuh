// Graph attention forward: softmax and weighted sum in one pass over a row's edges. The maximum
// grows 32 edges at a time, and the sums are rescaled when it does.
#pragma once

#include "attention.cuh"
#include "sgnn/gat.h"

namespace sgnn {

template <typename T>
struct GatParams : AttentionParams<T> {
  using Acc = acc_t<T>;
  const T* x;             // [K, H, D]
  const Acc* s_dst;       // [M, H]
  const Acc* s_src;       // [K, H]
  const Acc* edge_score;  // [nnz, H] by edge id, or null
  T* y;                   // [M, H, D]
  Acc* row_max;           // [M, H]
  Acc* inv_sum;           // [M, H]
  T* positive;            // [M, H, D] or null
  Acc* positive_weight;   // [M, H]; null with `positive`
};

template <typename Acc>
struct alignas(16) GatEdge {
  int64_t col;
  Acc weight;
  Acc positive;  // the weight where the sum is positive, else 0
};

// Statistics of one row and head, and a tile of its sums. The maximum is the same in every lane;
// the other numbers are a lane's part until merge_gat.
template <typename T>
struct GatSums {
  using Acc = acc_t<T>;
  SoftmaxStats<Acc> stats;
  Acc positive_weight = Acc(0);
  bool kept = false;
  Acc y[kItems<T>] = {};
  Acc positive[kItems<T>] = {};

  __device__ __forceinline__ void raise(Acc max) {
    const Acc factor = stats.raise(max);
    positive_weight *= factor;
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      y[i] *= factor;
      positive[i] *= factor;
    }
  }
};

// The sum whose activation is the score of an edge.
template <typename Acc>
__device__ __forceinline__ Acc gat_total(Acc dst, Acc src, const Acc* edge_score, int64_t place) {
  return (edge_score == nullptr ? src : src + edge_score[place]) + dst;
}

// Stages the kept edges of 32 stored positions and raises `sums` to their scores. Returns their
// number, the same in every lane.
template <typename T>
__device__ __forceinline__ int stage_gat(const GatParams<T>& p, const Span& span, int64_t head,
                                         int64_t first, GatEdge<acc_t<T>>* staged,
                                         GatSums<T>& sums) {
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
template <int kStep, typename T, bool kAligned>
__device__ __forceinline__ void add_sources(const GatParams<T>& p, const Tile<T, kAligned>& tile,
                                            int64_t head, const GatEdge<acc_t<T>>* staged,
                                            int first, int groups, int count, GatSums<T>& sums) {
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
    const Acc positive = valid ? staged[slot].positive : Acc(0);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      const Acc value = valid ? to_acc(pack[s].item[i]) : Acc(0);
      sums.y[i] += weight * value;
      sums.positive[i] += positive * value;
    }
  }
}

// The sums over `span`, complete in every lane group.
template <typename T, bool kAligned>
__device__ __forceinline__ GatSums<T> attend_span(const GatParams<T>& p, const Span& span,
                                                  int64_t head, const Tile<T, kAligned>& tile,
                                                  GatEdge<acc_t<T>>* staged) {
  constexpr int kStep = kAttentionSteps<kAligned>;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  GatSums<T> sums;
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
  add_groups(p, sums.positive);
  return sums;
}

template <typename T, bool kAligned>
__device__ __forceinline__ void write_target(const GatParams<T>& p, int64_t row, int64_t head,
                                             bool first_tile, const Tile<T, kAligned>& tile,
                                             const GatSums<T>& sums) {
  using Acc = acc_t<T>;
  const Acc inverse = sums.kept ? Acc(1) / sums.stats.sum : Acc(0);
  write_head(p, row, head, tile, sums.y, inverse, p.y);
  if (p.positive != nullptr) write_head(p, row, head, tile, sums.positive, inverse, p.positive);
  if (!first_tile || threadIdx.x % kWarpSize != 0) return;
  const int64_t place = row * p.heads + head;
  p.row_max[place] = sums.kept ? sums.stats.max : Acc(0);
  p.inv_sum[place] = inverse;
  if (p.positive != nullptr) p.positive_weight[place] = sums.positive_weight * inverse;
}

template <typename T, bool kAligned>
__device__ __forceinline__ void write_chunk(const GatParams<T>& p, int64_t chunk, int64_t head,
                                            bool first_tile, const Tile<T, kAligned>& tile,
                                            const GatSums<T>& sums) {
  using Acc = acc_t<T>;
  Acc* record = record_of(p, chunk, head);
  write_record(p, tile, sums.y, record + kRecordHead);
  if (p.positive != nullptr) {
    write_record(p, tile, sums.positive, record + kRecordHead + p.width);
  }
  if (!first_tile || threadIdx.x % kWarpSize != 0) return;
  record[kRecordMax] = sums.stats.max;
  record[kRecordSum] = sums.stats.sum;
  record[kRecordPositive] = sums.positive_weight;
  record[kRecordKept] = sums.kept ? Acc(1) : Acc(0);
}

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks) gat_kernel(GatParams<T> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(GatEdge<Acc>, all_staged, kAttentionThreads);
  GatEdge<Acc>* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  int64_t head;
  const Span span = span_of_warp(p, &head);
  if (span.row < 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize) % p.shape.lanes;
  for (int64_t t = 0; t == 0 || t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane, p.shape.lanes, p.width);
    const GatSums<T> sums = attend_span(p, span, head, tile, staged);
    if (span.chunk < 0) {
      write_target(p, span.row, head, t == 0, tile, sums);
    } else {
      write_chunk(p, span.chunk, head, t == 0, tile, sums);
    }
  }
}

// The statistics of a hub, whole in every lane, from those of its chunks.
template <typename T>
__device__ __forceinline__ GatSums<T> merge_stats(const GatParams<T>& p, const HubOfWarp& hub) {
  using Acc = acc_t<T>;
  const int64_t lane = threadIdx.x % kWarpSize;
  GatSums<T> all;
  bool kept = false;
  for (int64_t c = hub.chunk + lane; c < hub.end; c += kWarpSize) {
    const Acc* record = record_of(p, c, hub.head);
    all.stats.max = larger(record[kRecordMax], all.stats.max);
    kept = kept || record[kRecordKept] != Acc(0);
  }
  all.kept = __ballot_sync(kFullWarp, kept) != 0;
  all.stats.max = max_lanes(all.stats.max, 1, kWarpSize);
  for (int64_t c = hub.chunk + lane; c < hub.end; c += kWarpSize) {
    const Acc* record = record_of(p, c, hub.head);
    const Acc factor = exp_of(record[kRecordMax] - all.stats.shift());
    all.stats.sum += factor * record[kRecordSum];
    all.positive_weight += factor * record[kRecordPositive];
  }
  all.stats.sum = sum_lanes(all.stats.sum, 1, kWarpSize);
  all.positive_weight = sum_lanes(all.positive_weight, 1, kWarpSize);
  return all;
}

// A warp per hub, head and tile: merges its chunks, in order.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kAttentionThreads, kAttentionBlocks)
    gat_hub_kernel(GatParams<T> p) {
  using Acc = acc_t<T>;
  const HubOfWarp hub = hub_of_warp(p);
  if (hub.row < 0) return;
  const int lanes = p.shape.lanes;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  const GatSums<T> stats = merge_stats(p, hub);
  const auto factor = [&](const Acc* record) {
    return exp_of(record[kRecordMax] - stats.stats.shift());
  };
  for (int64_t t = blockIdx.y; t == 0 || t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile(t * p.shape.columns, lane % lanes, lanes, p.width);
    GatSums<T> sums = stats;
    add_records(p, hub, tile, kRecordHead, factor, sums.y);
    if (p.positive != nullptr) {
      add_records(p, hub, tile, kRecordHead + p.width, factor, sums.positive);
    }
    write_target(p, hub.row, hub.head, t == 0, tile, sums);
  }
}

}  // namespace sgnn

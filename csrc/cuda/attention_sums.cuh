// What an attention forward keeps of a row: statistics of the softmax and weighted sums, written
// for a whole row or for a chunk of a hub, and merged over a hub's chunks.
#pragma once

#include "attention.cuh"

namespace sgnn {

// The results of a forward.
template <typename T>
struct AttendParams : AttentionParams<T> {
  using Acc = acc_t<T>;
  T* y;                  // [M, H, D]
  Acc* row_max;          // [M, H]
  Acc* inv_sum;          // [M, H]
  T* positive;           // [M, H, D], null without the sums of positive edges
  Acc* positive_weight;  // [M, H]; null with `positive`
};

inline constexpr int kHubBlocks = 3;  // resident, asked of the compiler

// Sums of a record.
template <bool kPositive>
inline constexpr int64_t kForwardSums = kPositive ? 2 : 1;

// Statistics of one row and head, and a tile of its sums. kPositive: those of the edges whose score
// has a positive sum beside those of all.
template <typename T, bool kPositive>
struct AttentionSums {
  using Acc = acc_t<T>;
  SoftmaxStats<Acc> stats;
  Acc positive_weight = Acc(0);
  bool kept = false;
  Acc y[kItems<T>] = {};
  Acc positive[kPositive ? kItems<T> : 1] = {};

  __device__ __forceinline__ void raise(Acc max) {
    const Acc factor = stats.raise(max);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) y[i] *= factor;
    if constexpr (kPositive) {
      positive_weight *= factor;
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) positive[i] *= factor;
    }
  }
};

template <typename T, bool kAligned, bool kPositive>
__device__ __forceinline__ void write_target(const AttendParams<T>& p, int64_t row, int64_t head,
                                             bool first_tile, const Tile<T, kAligned>& tile,
                                             const AttentionSums<T, kPositive>& sums) {
  using Acc = acc_t<T>;
  const Acc inverse = sums.kept ? Acc(1) / sums.stats.sum : Acc(0);
  write_head(p, row, head, tile, sums.y, inverse, p.y);
  if constexpr (kPositive) write_head(p, row, head, tile, sums.positive, inverse, p.positive);
  if (!first_tile || threadIdx.x % kWarpSize != 0) return;
  const int64_t place = row * p.heads + head;
  p.row_max[place] = sums.kept ? sums.stats.max : Acc(0);
  p.inv_sum[place] = inverse;
  if constexpr (kPositive) p.positive_weight[place] = sums.positive_weight * inverse;
}

template <typename T, bool kAligned, bool kPositive>
__device__ __forceinline__ void write_chunk(const AttendParams<T>& p, int64_t chunk, int64_t head,
                                            bool first_tile, const Tile<T, kAligned>& tile,
                                            const AttentionSums<T, kPositive>& sums) {
  using Acc = acc_t<T>;
  Acc* record = record_of(p, chunk, head);
  write_record(p, tile, sums.y, record + kRecordHead);
  if constexpr (kPositive) write_record(p, tile, sums.positive, record + kRecordHead + p.width);
  if (!first_tile || threadIdx.x % kWarpSize != 0) return;
  record[kRecordMax] = sums.stats.max;
  record[kRecordSum] = sums.stats.sum;
  record[kRecordPositive] = sums.positive_weight;
  record[kRecordKept] = sums.kept ? Acc(1) : Acc(0);
}

// Writes the sums of a row, or of a chunk of one.
template <typename T, bool kAligned, bool kPositive>
__device__ __forceinline__ void write_sums(const AttendParams<T>& p, const Span& span, int64_t head,
                                           bool first_tile, const Tile<T, kAligned>& tile,
                                           const AttentionSums<T, kPositive>& sums) {
  if (span.chunk < 0) {
    write_target(p, span.row, head, first_tile, tile, sums);
  } else {
    write_chunk(p, span.chunk, head, first_tile, tile, sums);
  }
}

// The statistics of a hub, whole in every lane, from those of its chunks.
template <typename T, bool kPositive>
__device__ __forceinline__ AttentionSums<T, kPositive> merge_stats(const AttendParams<T>& p,
                                                                   const HubOfWarp& hub) {
  using Acc = acc_t<T>;
  const int64_t lane = threadIdx.x % kWarpSize;
  AttentionSums<T, kPositive> all;
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
template <typename T, bool kAligned, bool kPositive>
__global__ void __launch_bounds__(kAttentionThreads, kHubBlocks)
    attention_hub_kernel(AttendParams<T> p) {
  using Acc = acc_t<T>;
  const HubOfWarp hub = hub_of_warp(p);
  if (hub.row < 0) return;
  const AttentionSums<T, kPositive> stats = merge_stats<T, kPositive>(p, hub);
  const auto factor = [&](const Acc* record) {
    return exp_of(record[kRecordMax] - stats.stats.shift());
  };
  for (int64_t t = blockIdx.y; t == 0 || t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile = attention_tile<kAligned>(p, t);
    AttentionSums<T, kPositive> sums = stats;
    add_records(p, hub, tile, kRecordHead, factor, sums.y);
    if constexpr (kPositive) {
      add_records(p, hub, tile, kRecordHead + p.width, factor, sums.positive);
    }
    write_target(p, hub.row, hub.head, t == 0, tile, sums);
  }
}

// Merges the hubs of a forward whose chunks have written their records.
template <bool kAligned, bool kPositive, typename T>
void launch_attention_hubs(const AttendParams<T>& params, Stream stream) {
  if (params.split.chunks == 0) return;
  const auto kernel = attention_hub_kernel<T, kAligned, kPositive>;
  SGNN_LAUNCH(kernel, attention_hub_grid(params), dim3(kAttentionThreads), 0, stream, params);
}

// The results of `args`, which has y, row_max and inv_sum.
template <typename T, typename Args>
void fill_results(AttendParams<T>& params, const Args& args) {
  params.y = static_cast<T*>(args.y);
  params.row_max = static_cast<acc_t<T>*>(args.row_max);
  params.inv_sum = static_cast<acc_t<T>*>(args.inv_sum);
}

}  // namespace sgnn

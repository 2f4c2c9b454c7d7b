// Softmax aggregation: one warp per target, or per chunk of a hub target, and tile of columns; a
// maximum, the sum of the weights and that of the weighted messages per column, in registers.
//
// The warp is cut into groups of `lanes` lanes; group g takes the kept edges g, g + groups, ... of
// the row. Weights are relative to that of the largest exponent, which is raised a few edges at a
// time. Groups are merged in a fixed tree and the chunks of a hub in a fixed order: the result
// never depends on scheduling.
#pragma once

#include <cmath>

#include "device/any_index.cuh"
#include "device/softmax.cuh"
#include "device/tile.cuh"
#include "sgnn/softmax_aggregate.h"
#include "spmm_split.cuh"

namespace sgnn {

inline constexpr int kSoftmaxThreads = 128;
inline constexpr int kSoftmaxWarps = kSoftmaxThreads / kWarpSize;
inline constexpr int kSoftmaxBlocks = 4;  // resident, asked of the compiler

// Gathered rows in flight per lane.
template <bool kAligned>
inline constexpr int kSoftmaxSteps = kAligned ? 4 : 1;

// The message of a feature: bounded below, then shifted.
template <typename Acc>
struct MessageRule {
  Acc floor;  // -inf without relu
  Acc eps;

  __device__ __forceinline__ Acc bound(Acc x) const { return x < floor ? floor : x; }
  __device__ __forceinline__ Acc of(Acc x) const { return bound(x) + eps; }
  __device__ __forceinline__ Acc derive(Acc x, Acc gradient) const {
    return x <= floor ? Acc(0) : gradient;
  }
};

// What forward and backward share.
template <typename T>
struct SoftmaxAggregateBase {
  using Acc = acc_t<T>;
  AnyCsr csr;
  TileShape shape;      // of a row
  HubSplit<Acc> split;  // of the rows; a chunk has several partial sums
  int64_t width;        // F
  const T* x;           // [K, F]
  int64_t x_stride;
  const Acc* t;  // [F]
  const uint8_t* bits;
  MessageRule<Acc> message;
};

template <typename T>
struct SoftmaxAggregateParams : SoftmaxAggregateBase<T> {
  T* y;               // [M, F] contiguous
  acc_t<T>* log_sum;  // [M, F] contiguous, or null
};

// Softmax statistics of one column, of messages without their shift and times the sign of t: the
// largest has the largest exponent. Weights are relative to its own. Without kept edges the sum is
// zero; else it is one or more, or NaN.
template <typename Acc>
struct ColumnSoftmax {
  Acc max = static_cast<Acc>(-INFINITY);
  Acc sum = Acc(0);
  Acc value = Acc(0);  // sum of the weighted messages

  __device__ __forceinline__ bool any() const { return !(sum == Acc(0)); }

  // `rate` is |t|.
  __device__ __forceinline__ void raise(Acc top, Acc rate) {
    if (!(top > max)) return;
    if (any()) {
      const Acc factor = exp_of(rate * (max - top));
      sum *= factor;
      value *= factor;
    }
    max = top;
  }

  __device__ __forceinline__ void add(Acc message, Acc rate) {
    const Acc weight = exp_of(rate * (message - max));
    sum += weight;
    value += weight * message;
  }

  __device__ __forceinline__ void merge(const ColumnSoftmax& other, Acc rate) {
    if (!other.any()) return;
    raise(other.max, rate);
    const Acc factor = exp_of(rate * (other.max - max));
    sum += factor * other.sum;
    value += factor * other.value;
  }
};

template <typename Acc>
__device__ __forceinline__ Acc sign_of(Acc t) {
  return t < Acc(0) ? Acc(-1) : Acc(1);
}

// The warp's number among those of blocks [first_block, ...).
__device__ __forceinline__ int64_t softmax_warp(int64_t first_block) {
  return (static_cast<int64_t>(blockIdx.x) - first_block) * kSoftmaxWarps + threadIdx.x / kWarpSize;
}

// The edges of this warp: chunks of hubs come first, then the other rows.
template <typename T>
__device__ __forceinline__ Span softmax_span(const SoftmaxAggregateBase<T>& p) {
  return static_cast<int64_t>(blockIdx.x) < p.split.blocks
             ? chunk_span(p.csr, p.split, softmax_warp(0))
             : row_span(p.csr, p.split, softmax_warp(p.split.blocks));
}

template <typename T, bool kAligned>
__device__ __forceinline__ Tile<T, kAligned> softmax_tile(const SoftmaxAggregateBase<T>& p,
                                                          int64_t t) {
  const int lane = static_cast<int>(threadIdx.x) % p.shape.lanes;
  return Tile<T, kAligned>(t * p.shape.columns, lane, p.shape.lanes, p.width);
}

// The factors of the lane's columns; zero past the width.
template <typename T, bool kAligned>
__device__ __forceinline__ void load_factors(const SoftmaxAggregateBase<T>& p,
                                             const Tile<T, kAligned>& tile, acc_t<T>* t) {
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) t[i] = tile.inside(i) ? p.t[tile.column(i)] : acc_t<T>(0);
}

// Leaves the columns of the kept edges among 32 stored positions in `staged`, in their order.
// Returns their number, the same in every lane.
template <typename T>
__device__ __forceinline__ int stage_columns(const SoftmaxAggregateBase<T>& p, int64_t first,
                                             int64_t end, int64_t* staged) {
  const unsigned lane = threadIdx.x % kWarpSize;
  const int64_t position = first + lane;
  bool kept = position < end;
  if (kept && p.bits != nullptr) kept = test_bit(p.bits, p.csr.value_index(position));
  const unsigned votes = __ballot_sync(kFullWarp, kept);
  if (kept) staged[__popc(votes & ((1u << lane) - 1u))] = p.csr.col[position];
  __syncwarp();
  return __popc(votes);
}

// Takes kStep staged edges per group, from `first` on. Steps past `count` repeat the last edge,
// which is one of the row, and add nothing.
template <int kStep, typename T, bool kAligned>
__device__ __forceinline__ void add_messages(const SoftmaxAggregateParams<T>& p,
                                             const Tile<T, kAligned>& tile, const acc_t<T>* t,
                                             const int64_t* staged, int first, int groups,
                                             int count, ColumnSoftmax<acc_t<T>>* sums) {
  using Acc = acc_t<T>;
  Pack<T> pack[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    pack[s] = tile.load(p.x + staged[slot] * p.x_stride);
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const Acc sign = sign_of(t[i]);
    Acc message[kStep];
    Acc top = sums[i].max;
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      message[s] = sign * p.message.bound(to_acc(pack[s].item[i]));
      top = larger(message[s], top);
    }
    sums[i].raise(top, sign * t[i]);
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      if (first + s * groups < count) sums[i].add(message[s], sign * t[i]);
    }
  }
}

// The statistics of the kept edges of `span`, complete in the first lane group.
template <typename T, bool kAligned>
__device__ __forceinline__ void gather_messages(const SoftmaxAggregateParams<T>& p,
                                                const Span& span, const Tile<T, kAligned>& tile,
                                                const acc_t<T>* t, int64_t* staged,
                                                ColumnSoftmax<acc_t<T>>* sums) {
  constexpr int kStep = kSoftmaxSteps<kAligned>;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_columns(p, first, span.end, staged);
    for (int base = 0; base < count; base += kStep * groups) {
      add_messages<kStep>(p, tile, t, staged, base + group, groups, count, sums);
    }
    __syncwarp();
  }
}

// Merges the lane groups; complete in the first one.
template <typename T>
__device__ __forceinline__ void merge_groups(const SoftmaxAggregateParams<T>& p, const acc_t<T>* t,
                                             ColumnSoftmax<acc_t<T>>* sums) {
  for (int offset = p.shape.lanes; offset < kWarpSize; offset *= 2) {
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      ColumnSoftmax<acc_t<T>> other;
      other.max = __shfl_xor_sync(kFullWarp, sums[i].max, offset);
      other.sum = __shfl_xor_sync(kFullWarp, sums[i].sum, offset);
      other.value = __shfl_xor_sync(kFullWarp, sums[i].value, offset);
      sums[i].merge(other, sign_of(t[i]) * t[i]);
    }
  }
}

template <typename T, bool kAligned>
__device__ __forceinline__ void write_target(const SoftmaxAggregateParams<T>& p, int64_t row,
                                             const Tile<T, kAligned>& tile, const acc_t<T>* t,
                                             const ColumnSoftmax<acc_t<T>>* sums) {
  using Acc = acc_t<T>;
  Pack<T> pack;
  Acc log_sum[kItems<T>];
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const Acc sign = sign_of(t[i]);
    const Acc mean = sign * (sums[i].value / sums[i].sum) + p.message.eps;
    pack.item[i] = from_acc<T>(sums[i].any() ? mean : Acc(0));
    const Acc best = sign * sums[i].max + p.message.eps;
    const Acc exponent = t[i] * (best - to_acc(pack.item[i]));
    log_sum[i] = sums[i].any() ? exponent + log_of(sums[i].sum) : Acc(0);
  }
  tile.store(p.y + row * p.width, pack);
  if (p.log_sum != nullptr) tile.store_as(p.log_sum + row * p.width, log_sum);
}

enum SoftmaxPart { kPartMax, kPartSum, kPartValue, kSoftmaxParts };

template <typename T>
__device__ __forceinline__ acc_t<T>* chunk_part(const SoftmaxAggregateParams<T>& p, int64_t chunk,
                                                int64_t t, SoftmaxPart part) {
  return partial_sums<T>(p.split, p.shape, chunk * kSoftmaxParts + part, t);
}

template <typename T>
__device__ __forceinline__ void write_chunk(const SoftmaxAggregateParams<T>& p, int64_t chunk,
                                            int64_t t, const ColumnSoftmax<acc_t<T>>* sums) {
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    chunk_part(p, chunk, t, kPartMax)[i] = sums[i].max;
    chunk_part(p, chunk, t, kPartSum)[i] = sums[i].sum;
    chunk_part(p, chunk, t, kPartValue)[i] = sums[i].value;
  }
}

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kSoftmaxThreads, kSoftmaxBlocks)
    softmax_aggregate_kernel(SoftmaxAggregateParams<T> p) {
  SGNN_SHARED(int64_t, all_staged, kSoftmaxThreads);
  int64_t* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  const Span span = softmax_span(p);
  if (span.row < 0) return;
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile = softmax_tile<T, kAligned>(p, t);
    acc_t<T> factor[kItems<T>];
    load_factors(p, tile, factor);
    ColumnSoftmax<acc_t<T>> sums[kItems<T>];
    gather_messages(p, span, tile, factor, staged, sums);
    merge_groups(p, factor, sums);
    if (static_cast<int>(threadIdx.x % kWarpSize) >= p.shape.lanes) continue;
    if (span.chunk < 0) {
      write_target(p, span.row, tile, factor, sums);
    } else {
      write_chunk(p, span.chunk, t, sums);
    }
  }
}

// A warp per hub target and tile: merges its chunks, in an order that their number alone decides.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kSoftmaxThreads, kSoftmaxBlocks)
    softmax_aggregate_hub_kernel(SoftmaxAggregateParams<T> p) {
  const int64_t chunk = softmax_warp(0);
  const Span hub = hub_from(p.csr, p.split, chunk);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile = softmax_tile<T, kAligned>(p, t);
    acc_t<T> factor[kItems<T>];
    load_factors(p, tile, factor);
    ColumnSoftmax<acc_t<T>> sums[kItems<T>];
    for (int64_t c = chunk + lane / p.shape.lanes; c < end; c += kWarpSize / p.shape.lanes) {
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        ColumnSoftmax<acc_t<T>> part;
        part.max = chunk_part(p, c, t, kPartMax)[i];
        part.sum = chunk_part(p, c, t, kPartSum)[i];
        part.value = chunk_part(p, c, t, kPartValue)[i];
        sums[i].merge(part, sign_of(factor[i]) * factor[i]);
      }
    }
    merge_groups(p, factor, sums);
    if (lane < p.shape.lanes) write_target(p, hub.row, tile, factor, sums);
  }
}

}  // namespace sgnn

// Gradients of softmax aggregation over the transpose: one warp per source, or per chunk of a hub
// source, and tile of columns. What an edge needs of its target, the gradient, the result and the
// logarithm of its sum, is loaded together. Lane groups and chunks as in softmax_aggregate.cuh.
#pragma once

#include "softmax_aggregate.cuh"

namespace sgnn {

// Targets in flight per lane: three rows each.
template <bool kAligned>
inline constexpr int kSoftmaxGradSteps = kAligned ? 2 : 1;

// Resident blocks asked of the compiler: striped rows of 16 bits hold the most numbers per lane.
template <typename T, bool kAligned>
inline constexpr int kSoftmaxGradBlocks = sizeof(T) == 2 && !kAligned ? 3 : kSoftmaxBlocks;

template <typename T>
struct SoftmaxAggregateGradParams : SoftmaxAggregateBase<T> {
  const T* grad;  // [M, F]
  int64_t grad_stride;
  const T* y;               // [M, F] contiguous
  const acc_t<T>* log_sum;  // [M, F] contiguous
  T* dx;                    // [K, F] contiguous
  acc_t<T>* dt;             // [K, F] contiguous, a source's part in the gradient of t; or null
};

// One column of a source. With w = p_e g: the sums of w and of w (m - y).
template <typename Acc>
struct SourceColumn {
  Acc t;
  Acc message;
  Acc sum;
  Acc slope;
};

template <typename T>
struct TargetColumns {
  Pack<T> grad;
  Pack<T> y;
  acc_t<T> log_sum[kItems<T>];
};

// Takes kStep staged edges per group, from `first` on. Steps past `count` repeat the last edge and
// add nothing.
template <int kStep, typename T, bool kAligned>
__device__ __forceinline__ void add_softmax_targets(const SoftmaxAggregateGradParams<T>& p,
                                                    const Tile<T, kAligned>& tile,
                                                    const int64_t* staged, int first, int groups,
                                                    int count, SourceColumn<acc_t<T>>* source) {
  using Acc = acc_t<T>;
  TargetColumns<T> target[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    const int slot = first + s * groups < count ? first + s * groups : count - 1;
    const int64_t row = staged[slot];
    target[s].grad = tile.load(p.grad + row * p.grad_stride);
    target[s].y = tile.load(p.y + row * p.width);
    tile.load_as(p.log_sum + row * p.width, target[s].log_sum);
  }
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    if (first + s * groups >= count) continue;
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      SourceColumn<Acc>& c = source[i];
      const Acc spread = c.message - to_acc(target[s].y.item[i]);
      const Acc exponent = c.t * spread - target[s].log_sum[i];
      const Acc weight = exp_of(exponent > Acc(0) ? Acc(0) : exponent) *  // above 0 by rounding
                         to_acc(target[s].grad.item[i]);
      c.sum += weight;
      c.slope += weight * spread;
    }
  }
}

template <typename T, bool kAligned>
__device__ __forceinline__ void start_source(const SoftmaxAggregateGradParams<T>& p, int64_t row,
                                             const Tile<T, kAligned>& tile,
                                             SourceColumn<acc_t<T>>* source) {
  using Acc = acc_t<T>;
  const Pack<T> x = tile.load(p.x + row * p.x_stride);
  Acc t[kItems<T>];
  load_factors(p, tile, t);
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    source[i] = {t[i], p.message.of(to_acc(x.item[i])), Acc(0), Acc(0)};
  }
}

// Adds the lane groups; complete in every one.
template <typename T>
__device__ __forceinline__ void add_source_groups(const SoftmaxAggregateGradParams<T>& p,
                                                  SourceColumn<acc_t<T>>* source) {
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    source[i].sum = sum_lanes(source[i].sum, p.shape.lanes, kWarpSize);
    source[i].slope = sum_lanes(source[i].slope, p.shape.lanes, kWarpSize);
  }
}

template <typename T, bool kAligned>
__device__ __forceinline__ void write_softmax_source(const SoftmaxAggregateGradParams<T>& p,
                                                     int64_t row, const Tile<T, kAligned>& tile,
                                                     const SourceColumn<acc_t<T>>* source) {
  using Acc = acc_t<T>;
  const Pack<T> x = tile.load(p.x + row * p.x_stride);
  Pack<T> pack;
  Acc dt[kItems<T>];
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const SourceColumn<Acc>& c = source[i];
    pack.item[i] = from_acc<T>(p.message.derive(to_acc(x.item[i]), c.sum + c.t * c.slope));
    dt[i] = c.message * c.slope;
  }
  tile.store(p.dx + row * p.width, pack);
  if (p.dt != nullptr) tile.store_as(p.dt + row * p.width, dt);
}

inline constexpr int64_t kGradParts = 2;  // of a chunk: sum and slope

template <typename T, bool kAligned>
__global__ void __launch_bounds__(kSoftmaxThreads, kSoftmaxGradBlocks<T, kAligned>)
    softmax_aggregate_grad_kernel(SoftmaxAggregateGradParams<T> p) {
  SGNN_SHARED(int64_t, all_staged, kSoftmaxThreads);
  constexpr int kStep = kSoftmaxGradSteps<kAligned>;
  int64_t* staged = all_staged + threadIdx.x / kWarpSize * kWarpSize;
  const Span span = softmax_span(p);
  if (span.row < 0) return;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  for (int64_t t = 0; t < p.shape.tiles; ++t) {
    const Tile<T, kAligned> tile = softmax_tile<T, kAligned>(p, t);
    SourceColumn<acc_t<T>> source[kItems<T>];
    start_source(p, span.row, tile, source);
    for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
      const int count = stage_columns(p, first, span.end, staged);
      for (int base = 0; base < count; base += kStep * groups) {
        add_softmax_targets<kStep>(p, tile, staged, base + group, groups, count, source);
      }
      __syncwarp();
    }
    add_source_groups(p, source);
    if (group != 0) continue;
    if (span.chunk < 0) {
      write_softmax_source(p, span.row, tile, source);
      continue;
    }
    acc_t<T>* sum = partial_sums<T>(p.split, p.shape, span.chunk * kGradParts, t);
    acc_t<T>* slope = partial_sums<T>(p.split, p.shape, span.chunk * kGradParts + 1, t);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      sum[i] = source[i].sum;
      slope[i] = source[i].slope;
    }
  }
}

// A warp per hub source and tile: adds the sums of its chunks, in an order that their number alone
// decides.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(kSoftmaxThreads, kSoftmaxBlocks)
    softmax_aggregate_grad_hub_kernel(SoftmaxAggregateGradParams<T> p) {
  const int64_t chunk = softmax_warp(0);
  const Span hub = hub_from(p.csr, p.split, chunk);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  for (int64_t t = blockIdx.y; t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile = softmax_tile<T, kAligned>(p, t);
    SourceColumn<acc_t<T>> source[kItems<T>];
    start_source(p, hub.row, tile, source);
    for (int64_t c = chunk + lane / p.shape.lanes; c < end; c += kWarpSize / p.shape.lanes) {
      const acc_t<T>* sum = partial_sums<T>(p.split, p.shape, c * kGradParts, t);
      const acc_t<T>* slope = partial_sums<T>(p.split, p.shape, c * kGradParts + 1, t);
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        source[i].sum += sum[i];
        source[i].slope += slope[i];
      }
    }
    add_source_groups(p, source);
    if (lane < p.shape.lanes) write_softmax_source(p, hub.row, tile, source);
  }
}

}  // namespace sgnn

// Operators that gather a state from the kept values of a row and head, and give a value per row or
// per edge. A warp takes a row, or a chunk of a hub, lanes over the stored positions; lanes are
// merged in a fixed tree, the chunks of a hub in a fixed order by a second launch. Where edges get
// values, a third gives those of the chunks.
//
// An operator has Acc, State, add(state, i) for the value at i, out, and with kPerEdge give(state,
// i), which is written for the kept edges beside 0 for the others; without, the state is the
// result.
#pragma once

#include "device/softmax.cuh"
#include "spmm_split.cuh"

namespace sgnn {

inline constexpr int kEdgeThreads = 128;
inline constexpr int kEdgeBlocks = 8;  // resident, asked of the compiler
inline constexpr int kEdgeWarps = kEdgeThreads / kWarpSize;

__device__ __forceinline__ int64_t edge_warp() {
  return static_cast<int64_t>(blockIdx.x) * kEdgeWarps + threadIdx.x / kWarpSize;
}

template <typename Op, typename Index>
struct EdgeRowsParams {
  CsrView<Index> csr;
  const uint8_t* bits;
  int64_t heads;
  HubSplit<typename Op::Acc> split;  // partial: [chunks, H] states
  Op op;

  __device__ __forceinline__ typename Op::State* state_of(int64_t chunk, int64_t head) const {
    return reinterpret_cast<typename Op::State*>(split.partial) + chunk * heads + head;
  }

  // Calls kept(i) or dropped(i) with the place i of this head's value, for this lane's edges.
  template <typename Kept, typename Dropped>
  __device__ __forceinline__ void each(const Span& span, int64_t head, Kept&& kept,
                                       Dropped&& dropped) const {
    for (int64_t e = span.begin + threadIdx.x % kWarpSize; e < span.end; e += kWarpSize) {
      const int64_t id = csr.value_index(e);
      if (bits == nullptr || test_bit(bits, id)) {
        kept(id * heads + head);
      } else {
        dropped(id * heads + head);
      }
    }
  }

  __device__ __forceinline__ void give_edges(const Span& span, int64_t head,
                                             const typename Op::State& state) const {
    each(
        span, head, [&](int64_t i) { op.out[i] = op.give(state, i); },
        [&](int64_t i) { op.out[i] = typename Op::Acc(0); });
  }
};

template <typename Acc>
__device__ __forceinline__ void merge_state(Acc& sum, Acc other) {
  sum += other;
}

template <typename Acc>
__device__ __forceinline__ void merge_state(SoftmaxStats<Acc>& stats,
                                            const SoftmaxStats<Acc>& other) {
  stats.raise(other.max);
  stats.sum += other.sum * exp_of(other.max - stats.shift());
}

template <typename Acc>
__device__ __forceinline__ Acc merge_lanes(Acc sum) {
  return sum_lanes(sum, 1, kWarpSize);
}

// A warp per chunk of a hub and head, then per other row and head.
template <typename Op, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_rows_kernel(EdgeRowsParams<Op, Index> p) {
  const bool chunked = static_cast<int64_t>(blockIdx.x) < p.split.blocks;
  const int64_t warp = chunked ? edge_warp() : edge_warp() - p.split.blocks * kEdgeWarps;
  const int64_t head = warp % p.heads;
  const Span span = chunked ? chunk_span(p.csr, p.split, warp / p.heads)
                            : row_span(p.csr, p.split, warp / p.heads);
  if (span.row < 0) return;
  typename Op::State mine = {};
  p.each(span, head, [&](int64_t i) { p.op.add(mine, i); }, [](int64_t) {});
  const typename Op::State all = merge_lanes(mine);
  const bool leads = threadIdx.x % kWarpSize == 0;
  if (span.chunk >= 0) {
    if (leads) *p.state_of(span.chunk, head) = all;
  } else if constexpr (Op::kPerEdge) {
    p.give_edges(span, head, all);
  } else {
    if (leads) p.op.out[span.row * p.heads + head] = all;
  }
}

// A warp per hub and head: merges the states of its chunks, into that of the first where edges wait
// for it.
template <typename Op, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_hubs_kernel(EdgeRowsParams<Op, Index> p) {
  const int64_t head = edge_warp() % p.heads;
  const int64_t first = edge_warp() / p.heads;
  const Span hub = hub_from(p.csr, p.split, first);
  if (hub.row < 0) return;
  const int64_t end = ceil_div(hub.end, p.split.chunk);
  typename Op::State mine = {};
  for (int64_t c = first + threadIdx.x % kWarpSize; c < end; c += kWarpSize) {
    merge_state(mine, *p.state_of(c, head));
  }
  const typename Op::State all = merge_lanes(mine);
  if (threadIdx.x % kWarpSize != 0) return;
  if constexpr (Op::kPerEdge) {
    *p.state_of(first, head) = all;
  } else {
    p.op.out[hub.row * p.heads + head] = all;
  }
}

// A warp per chunk of a hub and head, whose state is whole.
template <typename Op, typename Index>
__global__ void __launch_bounds__(kEdgeThreads, kEdgeBlocks)
    edge_chunks_kernel(EdgeRowsParams<Op, Index> p) {
  const int64_t head = edge_warp() % p.heads;
  const Span span = chunk_span(p.csr, p.split, edge_warp() / p.heads);
  if (span.row < 0) return;
  const int64_t begin = p.csr.rowptr[span.row];
  p.give_edges(span, head, *p.state_of(ceil_div(begin, p.split.chunk), head));
}

}  // namespace sgnn

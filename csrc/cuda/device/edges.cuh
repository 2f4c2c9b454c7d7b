// Per-edge factors and the staging of kept edges: a warp reads 32 stored positions at once and
// leaves those that are kept, packed, in shared memory. A dropped edge is never gathered.
#pragma once

#include "device/platform.cuh"
#include "sgnn/bitmask.h"
#include "sgnn/csr.h"

namespace sgnn {

// Optional factors of an edge (j -> i); null pointers stand for 1 and for "kept".
template <typename Acc>
struct EdgeFactors {
  const Acc* weight;     // by edge id
  const Acc* mask;       // by edge id
  const Acc* col_scale;  // by column
  const uint8_t* bits;   // by edge id

  __device__ __forceinline__ bool keeps(int64_t id) const {
    return bits == nullptr || test_bit(bits, id);
  }

  __device__ __forceinline__ Acc coefficient(int64_t id, int64_t col) const {
    Acc value = weight == nullptr ? Acc(1) : weight[id];
    if (mask != nullptr) value *= mask[id];
    if (col_scale != nullptr) value *= col_scale[col];
    return value;
  }
};

template <typename Index, typename Acc>
struct alignas(sizeof(Index) + sizeof(Acc) > 8 ? 16 : 8) StagedEdge {
  Index col;
  Acc coefficient;
};

// Calls stage(slot, position, id) for the kept positions of [first, min(first + 32, end)), slots
// counted in stored order, and drop(id) for the dropped ones. Returns the number kept, the same in
// every lane. What stage() wrote is visible to the warp afterwards; before the next call the warp
// must have read it (__syncwarp).
template <typename Index, typename Acc, typename Stage, typename Drop>
__device__ __forceinline__ int stage_edges(const CsrView<Index>& csr,
                                           const EdgeFactors<Acc>& factors, int64_t first,
                                           int64_t end, Stage&& stage, Drop&& drop) {
  const unsigned lane = threadIdx.x % kWarpSize;
  const int64_t position = first + lane;
  const bool valid = position < end;
  const int64_t id = valid ? csr.value_index(position) : 0;
  const bool kept = valid && factors.keeps(id);
  const unsigned votes = __ballot_sync(kFullWarp, kept);
  if (kept) {
    stage(__popc(votes & ((1u << lane) - 1u)), position, id);
  } else if (valid) {
    drop(id);
  }
  __syncwarp();
  return __popc(votes);
}

// Sums `value` over lanes that differ in bits [low, high) of their index, in a fixed order.
template <typename Acc>
__device__ __forceinline__ Acc sum_lanes(Acc value, int low, int high) {
  for (int offset = low; offset < high; offset *= 2) {
    value += __shfl_xor_sync(kFullWarp, value, offset);
  }
  return value;
}

}  // namespace sgnn

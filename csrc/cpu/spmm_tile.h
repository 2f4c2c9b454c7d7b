// The gather loop: a tile of columns of one row, in registers, over a run of staged edges.
#pragma once

#include "simd.h"
#include "spmm_stage.h"

namespace sgnn::cpu::SGNN_ISA {

// kTile vectors of columns, the last one of `last_lanes` lanes when kPartial.
template <typename T, int kTile, bool kPartial>
struct GatherTile {
  using A = acc_t<T>;
  using Block = typename SpmmStage<A>::Block;
  static constexpr int kColumns = kTile * kLanes<A>;
  static constexpr int kUnroll = 4;                 // edges
  static constexpr int kSums = kTile <= 2 ? 4 : 1;  // chains of additions, to hide their latency
  static constexpr int kLines = (kColumns * static_cast<int>(sizeof(T)) + 63) / 64;
  // Edges ahead: enough lines to cover the latency of memory, few enough to stay in the L1 cache.
  static constexpr int64_t kPrefetchDistance = kLines <= 1   ? 32
                                               : kLines <= 4 ? 24
                                               : kLines <= 8 ? 16
                                                             : 10;

  const T* x;  // the tile's first column
  int64_t stride;
  int last_lanes;
  bool prefetch;

  // Adds the edges of slots [slot, end) to `sum`.
  SGNN_INLINE void add_edges(const Block& block, int64_t slot, int64_t end, vec_t<A>* sum) const {
    if constexpr (kSums == 1) {
      for (; slot + kUnroll <= end; slot += kUnroll) add_four(block, slot, sum, sum, sum, sum);
      for (; slot < end; ++slot) add_one(block, slot, sum);
    } else {
      vec_t<A> b[kTile] = {}, c[kTile] = {}, d[kTile] = {};
      for (; slot + kUnroll <= end; slot += kUnroll) add_four(block, slot, sum, b, c, d);
      for (; slot < end; ++slot) add_one(block, slot, sum);
#pragma GCC unroll 2
      for (int v = 0; v < kTile; ++v) sum[v] = (sum[v] + b[v]) + (c[v] + d[v]);
    }
  }

 private:
  SGNN_INLINE const T* row(const Block& block, int64_t slot) const {
    return x + static_cast<int64_t>(block.col[slot]) * stride;
  }

  SGNN_INLINE vec_t<A> load_vector(const T* from, int v) const {
    if constexpr (kPartial) {
      if (v == kTile - 1) return load_partial<T>(from + v * kLanes<A>, last_lanes);
    }
    return load(from + v * kLanes<A>);
  }

  SGNN_INLINE void add(const Block& block, int64_t slot, vec_t<A>* sum) const {
    const T* from = row(block, slot);
    const vec_t<A> coefficient = splat(block.coefficient[slot]);
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) sum[v] += coefficient * load_vector(from, v);
  }

  // Asks for the rows of later slots and adds this one's. One function: GCC takes a function that
  // only prefetches for one without effects and drops its calls.
  template <int kEdges>
  SGNN_INLINE void add_with_prefetch(const Block& block, int64_t slot, vec_t<A>* sum) const {
    const int64_t ahead = slot + kPrefetchDistance;
    if (prefetch && ahead + kEdges <= block.ahead) {
#pragma GCC unroll 4
      for (int k = 0; k < kEdges; ++k) {
        const T* later = row(block, ahead + k);
#pragma GCC unroll 16
        for (int i = 0; i < kLines; ++i) {
          __builtin_prefetch(later + i * (64 / static_cast<int>(sizeof(T))), 0, 3);
        }
      }
    }
    add(block, slot, sum);
  }

  SGNN_INLINE void add_one(const Block& block, int64_t slot, vec_t<A>* sum) const {
    add_with_prefetch<1>(block, slot, sum);
  }

  SGNN_INLINE void add_four(const Block& block, int64_t slot, vec_t<A>* a, vec_t<A>* b, vec_t<A>* c,
                            vec_t<A>* d) const {
    add_with_prefetch<kUnroll>(block, slot, a);
    add(block, slot + 1, b);
    add(block, slot + 2, c);
    add(block, slot + 3, d);
  }
};

}  // namespace sgnn::cpu::SGNN_ISA

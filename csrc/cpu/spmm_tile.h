// The gather loop: a tile of columns over a run of staged edges, handed edge by edge to whoever
// reduces them, in registers.
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
  static constexpr int kUnroll = 4;  // edges
  static constexpr int kLines = (kColumns * static_cast<int>(sizeof(T)) + 63) / 64;
  // Edges ahead: enough lines to cover the latency of memory, few enough to stay in the L1 cache.
  static constexpr int64_t kPrefetchDistance = kLines <= 1 ? 32 : kLines <= 4 ? 24 : 10;
  // Rows of many lines are asked for one by one: a core has room for some twenty requests.
  static constexpr int kRequests = kLines <= 4 ? kUnroll : 1;

  const T* x;  // the tile's first column
  int64_t stride;
  int last_lanes;
  bool prefetch;

  // Calls into.take<k>(slot, coefficient, load) for slots [slot, end): load(v) is vector v of the
  // tile. k counts the edges of a group of four, so that their reductions need not wait for one
  // another; it is 0 for those left over.
  template <typename Into>
  SGNN_INLINE void gather(const Block& block, int64_t slot, int64_t end, Into& into) const {
    const int64_t last = prefetch ? block.ahead - kPrefetchDistance : 0;
    for (; slot + kUnroll <= end; slot += kUnroll) {
      const bool ahead = slot + kUnroll <= last;
      hand<0, kRequests>(block, slot, ahead, into);
      hand<1, kRequests>(block, slot + 1, ahead, into);
      hand<2, kRequests>(block, slot + 2, ahead, into);
      hand<3, kRequests>(block, slot + 3, ahead, into);
    }
    for (; slot < end; ++slot) hand<0, 1>(block, slot, slot < last, into);
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

  // Hands on the edge of a slot. Those that are the first of kAsk ask for the rows of as many later
  // slots, if they are known to be `ahead`. One function: GCC takes a function that only prefetches
  // for one without effects and drops its calls.
  template <int kEdge, int kAsk, typename Into>
  SGNN_INLINE void hand(const Block& block, int64_t slot, bool ahead, Into& into) const {
    if (kEdge % kAsk == 0 && ahead) {
#pragma GCC unroll 4
      for (int k = 0; k < kAsk; ++k) {
        const T* later = row(block, slot + kPrefetchDistance + k);
#pragma GCC unroll 16
        for (int i = 0; i < kLines; ++i) {
          __builtin_prefetch(later + i * (64 / static_cast<int>(sizeof(T))), 0, 3);
        }
      }
    }
    const T* from = row(block, slot);
    into.template take<kEdge>(slot, splat(block.coefficient[slot]),
                              [&](int v)
                                  __attribute__((always_inline)) { return load_vector(from, v); });
  }
};

// Sums of a tile, kSums of them where one alone would wait for its own additions.
template <typename A, int kTile>
struct TileSums {
  static constexpr int kSums = kTile <= 2 ? 4 : 1;

  vec_t<A> sum[kSums][kTile];

  template <int kEdge, typename Load>
  SGNN_INLINE void take(int64_t, vec_t<A> coefficient, const Load& load_vector) {
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) sum[kEdge % kSums][v] += coefficient * load_vector(v);
  }

  // All of it in sum[0].
  SGNN_INLINE void join() {
    if constexpr (kSums == 4) {
#pragma GCC unroll 2
      for (int v = 0; v < kTile; ++v) {
        sum[0][v] = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
      }
    }
  }
};

}  // namespace sgnn::cpu::SGNN_ISA

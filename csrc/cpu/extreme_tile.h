// The best message so far of a tile of columns, in registers: blended, never branched on.
#pragma once

#include <limits>

#include "lanes.h"
#include "row_tile.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
constexpr A kLowest = -std::numeric_limits<A>::infinity();  // what a row starts from

// The largest value alone. NaN is kept beside it: maxima that ignore it wait for nothing else.
template <typename A, int kTile>
struct Largest {
  vec_t<A> value[kTile];
  vec_t<A> nan[kTile];  // NaN once one was seen

  SGNN_INLINE void start(int v, vec_t<A> first, int) {
    value[v] = first;
    nan[v] = first == first ? vec_t<A>{} : first;
  }
  SGNN_INLINE void take(int v, vec_t<A> candidate, int) {
    value[v] = candidate > value[v] ? candidate : value[v];
    nan[v] = candidate == candidate ? nan[v] : candidate;
  }
  SGNN_INLINE vec_t<A> best(int v) const { return nan[v] == nan[v] ? value[v] : nan[v]; }
};

// The largest value and the slot that it came from; `slot` is left alone where nothing was better.
template <typename A, int kTile>
struct LargestWithSlot {
  vec_t<A> value[kTile];
  lane_index_t<A> slot[kTile];

  SGNN_INLINE void start(int v, vec_t<A> first, int first_slot) {
    value[v] = first;
    slot[v] = static_cast<typename LaneIndexOf<A>::scalar>(first_slot) - lane_index_t<A>{};
  }
  // Better is what is larger, or NaN after numbers.
  SGNN_INLINE void take(int v, vec_t<A> candidate, int from) {
    const lane_index_t<A> here =
        static_cast<typename LaneIndexOf<A>::scalar>(from) - lane_index_t<A>{};
    const lane_index_t<A> better = ~(candidate <= value[v]) & (value[v] == value[v]);
    slot[v] = better ? here : slot[v];
    value[v] = better ? candidate : value[v];
  }
  SGNN_INLINE vec_t<A> best(int v) const { return value[v]; }
};

}  // namespace sgnn::cpu::SGNN_ISA

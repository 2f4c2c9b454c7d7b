// Moves between the lanes of one vector.
#pragma once

#include <cstdint>
#include <type_traits>

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
struct LaneIndexOf {
  using scalar = std::conditional_t<sizeof(A) == 8, int64_t, int32_t>;
  typedef scalar type __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(alignof(A))));
};
// One lane number per lane.
template <typename A>
using lane_index_t = typename LaneIndexOf<A>::type;

// out[lane] = v[index[lane]].
template <typename A>
SGNN_INLINE vec_t<A> permute(vec_t<A> v, lane_index_t<A> index) {
  return __builtin_shuffle(v, index);
}

// out[lane] = v[lane ^ distance].
template <typename A>
SGNN_INLINE vec_t<A> exchange(vec_t<A> v, int64_t distance) {
  lane_index_t<A> index;
  for (int lane = 0; lane < kLanes<A>; ++lane) index[lane] = lane;
  return permute<A>(v, index ^ static_cast<typename LaneIndexOf<A>::scalar>(distance));
}

template <typename V>
SGNN_INLINE V max_vec(V a, V b) {
  return a > b ? a : b;
}

// Reduces lanes whose numbers agree modulo `period`, a power of two; every lane gets its result.
template <typename A>
SGNN_INLINE vec_t<A> sum_periodic(vec_t<A> v, int64_t period) {
  for (int64_t d = period; d < kLanes<A>; d *= 2) v += exchange<A>(v, d);
  return v;
}

template <typename A>
SGNN_INLINE vec_t<A> max_periodic(vec_t<A> v, int64_t period) {
  for (int64_t d = period; d < kLanes<A>; d *= 2) v = max_vec(v, exchange<A>(v, d));
  return v;
}

}  // namespace sgnn::cpu::SGNN_ISA

// The best message so far of a tile of columns, in registers. The comparisons pass over NaN; a sum
// of all messages, whose additions wait for nothing else, tells whether there may have been one,
// and then the edges are looked through again.
#pragma once

#include <limits>

#include "lanes.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
constexpr A kLowest = -std::numeric_limits<A>::infinity();  // what a row starts from

// a where it is larger, else b: b also where either is NaN.
template <typename A>
SGNN_INLINE vec_t<A> larger(vec_t<A> a, vec_t<A> b) {
  return a > b ? a : b;
}

template <typename A>
SGNN_INLINE bool has_nan(vec_t<A> v) {
  bool found = false;
  for (int lane = 0; lane < kLanes<A>; ++lane) found = found || v[lane] != v[lane];
  return found;
}

#if defined(__AVX512F__)
template <>
SGNN_INLINE vec_t<float> larger<float>(vec_t<float> a, vec_t<float> b) {
  return reinterpret_cast<vec_t<float>>(
      _mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
}
template <>
SGNN_INLINE bool has_nan<float>(vec_t<float> v) {
  const __m512 raw = reinterpret_cast<__m512>(v);
  return _mm512_cmp_ps_mask(raw, raw, _CMP_UNORD_Q) != 0;
}
#elif defined(__AVX2__)
template <>
SGNN_INLINE vec_t<float> larger<float>(vec_t<float> a, vec_t<float> b) {
  return reinterpret_cast<vec_t<float>>(
      _mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
}
template <>
SGNN_INLINE bool has_nan<float>(vec_t<float> v) {
  const __m256 raw = reinterpret_cast<__m256>(v);
  return _mm256_movemask_ps(_mm256_cmp_ps(raw, raw, _CMP_UNORD_Q)) != 0;
}
#endif

// The largest value alone, in kChains chains where one would wait for its own comparisons.
template <typename A, int kTile>
struct Largest {
  static constexpr int kChains = kTile <= 2 ? 4 : 1;

  vec_t<A> value[kChains][kTile];
  vec_t<A> seen[kChains];  // NaN if there may have been one
  vec_t<A> sign;

  SGNN_INLINE void start(int v, vec_t<A> first, int) { value[0][v] = first; }
  // `factor`: of all messages, 1 or -1.
  SGNN_INLINE void start_chains(A factor) {
    sign = splat(factor);
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) {
      seen[k] = vec_t<A>{};
      for (int v = 0; v < kTile && k > 0; ++v) value[k][v] = splat(kLowest<A>);
    }
  }

  template <int kEdge, typename Load>
  SGNN_INLINE void take(int64_t, vec_t<A> coefficient, const Load& load_vector) {
    constexpr int kChain = kEdge % kChains;
    vec_t<A> both[2] = {};
    coefficient *= sign;
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> message = coefficient * load_vector(v);
      value[kChain][v] = larger<A>(message, value[kChain][v]);
      both[v % 2] = v < 2 ? message : both[v % 2] + message;
    }
    seen[kChain] += kTile == 1 ? both[0] : both[0] + both[1];
  }

  // All of it in the first chain.
  SGNN_INLINE void join() {
#pragma GCC unroll 4
    for (int k = 1; k < kChains; ++k) {
      seen[0] += seen[k];
      for (int v = 0; v < kTile; ++v) value[0][v] = larger<A>(value[k][v], value[0][v]);
    }
  }

  SGNN_INLINE bool suspicious() const { return has_nan<A>(seen[0]); }
  SGNN_INLINE void repair(int v, vec_t<A> message, int64_t) {
    value[0][v] = message == message ? value[0][v] : message;
  }
  SGNN_INLINE vec_t<A> best(int v) const { return value[0][v]; }
};

// The largest value and the slot that it came from; `slot` is left alone where nothing was better.
template <typename A, int kTile>
struct LargestWithSlot {
  using Slot = typename LaneIndexOf<A>::scalar;

  vec_t<A> value[kTile];
  lane_index_t<A> slot[kTile];
  vec_t<A> seen;
  vec_t<A> sign;

  SGNN_INLINE void start(int v, vec_t<A> first, int first_slot) {
    value[v] = first;
    slot[v] = static_cast<Slot>(first_slot) - lane_index_t<A>{};
  }
  SGNN_INLINE void start_chains(A factor) {
    sign = splat(factor);
    seen = vec_t<A>{};
  }

  template <int, typename Load>
  SGNN_INLINE void take(int64_t from, vec_t<A> coefficient, const Load& load_vector) {
    const lane_index_t<A> here = static_cast<Slot>(from) - lane_index_t<A>{};
    vec_t<A> all{};
    coefficient *= sign;
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> message = coefficient * load_vector(v);
      const lane_index_t<A> better = message > value[v];
      slot[v] = better ? here : slot[v];
      value[v] = better ? message : value[v];
      all = v == 0 ? message : all + message;
    }
    seen += all;
  }
  SGNN_INLINE void join() {}

  SGNN_INLINE bool suspicious() const { return has_nan<A>(seen); }
  // The first NaN of a row stays.
  SGNN_INLINE void repair(int v, vec_t<A> message, int64_t from) {
    const lane_index_t<A> first = (message != message) & (value[v] == value[v]);
    slot[v] = first ? static_cast<Slot>(from) - lane_index_t<A>{} : slot[v];
    value[v] = first ? message : value[v];
  }
  SGNN_INLINE vec_t<A> best(int v) const { return value[v]; }
};

}  // namespace sgnn::cpu::SGNN_ISA

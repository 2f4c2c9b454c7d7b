// Comparisons of 64 keys at a time, one bit each.
#pragma once

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int kWordKeys = 64;

template <typename Key>
struct KeyVectorOf {
  typedef Key type __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(alignof(Key))));
};
template <typename Key>
using key_vec = typename KeyVectorOf<Key>::type;
template <typename Key>
constexpr int kKeyLanes = SGNN_VECTOR_BYTES / static_cast<int>(sizeof(Key));

template <typename Key>
SGNN_INLINE key_vec<Key> load_keys(const Key* keys) {
  return *reinterpret_cast<const key_vec<Key>*>(keys);
}

// One bit per lane where keys[i] > bound, or == bound. AVX-512 compares into mask registers; GCC
// would go through a vector and back.
#if defined(__AVX512F__)
SGNN_INLINE __m512i load_raw(const void* keys) { return _mm512_loadu_si512(keys); }
SGNN_INLINE uint64_t lanes_above(const int32_t* keys, int32_t bound) {
  return _mm512_cmpgt_epi32_mask(load_raw(keys), _mm512_set1_epi32(bound));
}
SGNN_INLINE uint64_t lanes_above(const int64_t* keys, int64_t bound) {
  return _mm512_cmpgt_epi64_mask(load_raw(keys), _mm512_set1_epi64(bound));
}
SGNN_INLINE uint64_t lanes_equal(const int32_t* keys, int32_t bound) {
  return _mm512_cmpeq_epi32_mask(load_raw(keys), _mm512_set1_epi32(bound));
}
SGNN_INLINE uint64_t lanes_equal(const int64_t* keys, int64_t bound) {
  return _mm512_cmpeq_epi64_mask(load_raw(keys), _mm512_set1_epi64(bound));
}
#else
// The lanes of a comparison's result hold all bits or none.
#if defined(__AVX2__)
SGNN_INLINE uint64_t lane_bits(key_vec<int32_t> mask) {
  return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
}
SGNN_INLINE uint64_t lane_bits(key_vec<int64_t> mask) {
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask)));
}
#else
template <typename V>
SGNN_INLINE uint64_t lane_bits(V mask) {
  uint64_t bits = 0;
  constexpr int kLanes = sizeof(V) / sizeof(mask[0]);
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint64_t>(mask[lane] & 1) << lane;
  return bits;
}
#endif

template <typename Key>
SGNN_INLINE uint64_t lanes_above(const Key* keys, Key bound) {
  return lane_bits(load_keys(keys) > bound);
}
template <typename Key>
SGNN_INLINE uint64_t lanes_equal(const Key* keys, Key bound) {
  return lane_bits(load_keys(keys) == bound);
}
#endif

// Bit i is set where keys[i] > threshold.
template <typename Key>
SGNN_INLINE uint64_t bits_above(const Key* keys, Key threshold) {
  uint64_t bits = 0;
#pragma GCC unroll 4
  for (int i = 0; i < kWordKeys; i += kKeyLanes<Key>) {
    bits |= lanes_above(keys + i, threshold) << i;
  }
  return bits;
}

template <typename Key>
SGNN_INLINE uint64_t bits_equal(const Key* keys, Key value) {
  uint64_t bits = 0;
#pragma GCC unroll 4
  for (int i = 0; i < kWordKeys; i += kKeyLanes<Key>) {
    bits |= lanes_equal(keys + i, value) << i;
  }
  return bits;
}

}  // namespace sgnn::cpu::SGNN_ISA

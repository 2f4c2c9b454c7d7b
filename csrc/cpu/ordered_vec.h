// Vectors of ordered keys in signed form, key ^ sign bit: signed comparisons order them, and the
// signed key of a positive number is its own bit pattern.
#pragma once

#include "sgnn/ordered_key.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
struct KeyLane {
  using type = int32_t;
  using bits = uint32_t;
  static constexpr type kInfinity = 0x7f800000;
};
template <>
struct KeyLane<double> {
  using type = int64_t;
  using bits = uint64_t;
  static constexpr type kInfinity = 0x7ff0000000000000;
};
template <typename T>
using signed_key_t = typename KeyLane<T>::type;
template <typename T>
using key_bits_t = typename KeyLane<T>::bits;

template <typename T>
struct KeyVector {
  static constexpr int kLanes = SGNN_VECTOR_BYTES / static_cast<int>(sizeof(signed_key_t<T>));
  typedef signed_key_t<T> type
      __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(sizeof(signed_key_t<T>))));
  typedef key_bits_t<T> bits
      __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(sizeof(signed_key_t<T>))));
  typedef uint8_t bytes __attribute__((vector_size(kLanes), aligned(1)));
};
template <typename T>
using key_vec = typename KeyVector<T>::type;
template <typename T>
using key_bits_vec = typename KeyVector<T>::bits;
template <typename T>
constexpr int kKeyLanes = KeyVector<T>::kLanes;
template <typename T>
constexpr signed_key_t<T> kSignBit =
    static_cast<signed_key_t<T>>(key_bits_t<T>{1} << (sizeof(key_bits_t<T>) * 8 - 1));

// The signed form of a key, which fits T's width.
template <typename T>
SGNN_INLINE signed_key_t<T> to_signed(uint64_t key) {
  return static_cast<signed_key_t<T>>(static_cast<key_bits_t<T>>(key)) ^ kSignBit<T>;
}

// The bits of `kKeyLanes` scores, as those of T's accumulator.
template <typename T>
SGNN_INLINE key_vec<T> load_bits(const T* scores) {
  return reinterpret_cast<key_vec<T>>(load(scores));
}

// The signed keys of scores with these bits.
template <typename T>
SGNN_INLINE key_vec<T> keys_of(key_vec<T> bits) {
  constexpr signed_key_t<T> kMagnitude = ~kSignBit<T>;
  const key_vec<T> is_nan = (bits & kMagnitude) > KeyLane<T>::kInfinity;
  key_vec<T> key = bits ^ ((bits >> (sizeof(signed_key_t<T>) * 8 - 1)) & kMagnitude);
  key -= key == -1;  // -0 becomes +0: comparisons give -1 for true
  return is_nan ? key_vec<T>{} + (kSignBit<T> + 1) : key;
}

// keys - first, modulo the width.
template <typename T>
SGNN_INLINE key_bits_vec<T> distance(key_vec<T> keys, signed_key_t<T> first) {
  return reinterpret_cast<key_bits_vec<T>>(keys) - static_cast<key_bits_t<T>>(first);
}

// The lanes of keys in [first, first + span], as what a comparison gives: a mask register where
// there is one, else a vector of 0 and -1.
#if defined(__AVX512F__)
template <typename T>
using lanes_t = uint32_t;

template <typename T>
SGNN_INLINE lanes_t<T> lanes_in(key_vec<T> keys, signed_key_t<T> first, key_bits_t<T> span) {
  const __m512i offset = reinterpret_cast<__m512i>(distance<T>(keys, first));
  if constexpr (sizeof(first) == 4) {
    return _mm512_cmple_epu32_mask(offset, _mm512_set1_epi32(static_cast<int>(span)));
  } else {
    return _mm512_cmple_epu64_mask(offset, _mm512_set1_epi64(static_cast<int64_t>(span)));
  }
}

template <typename T>
SGNN_INLINE lanes_t<T> lanes_set(const uint8_t* bytes) {
  if constexpr (kKeyLanes<T> == 16) {
    const __m128i loaded = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    return _mm_test_epi8_mask(loaded, loaded);
  } else {
    const __m128i loaded = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes));
    return _mm_test_epi8_mask(loaded, loaded) & 0xffu;
  }
}

template <typename T>
constexpr lanes_t<T> kAllLanes = (1u << kKeyLanes<T>)-1u;

template <typename T>
SGNN_INLINE uint32_t lane_bits(lanes_t<T> lanes) {
  return lanes;
}

template <typename T>
SGNN_INLINE void store_flags(uint8_t* out, lanes_t<T> lanes) {
  const __m128i flags = _mm_maskz_set1_epi8(static_cast<__mmask16>(lanes), 1);
  if constexpr (kKeyLanes<T> == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), flags);
  } else {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), flags);
  }
}
#else
template <typename T>
using lanes_t = key_vec<T>;
template <typename T>
using byte_vec = typename KeyVector<T>::bytes;

template <typename T>
SGNN_INLINE lanes_t<T> lanes_in(key_vec<T> keys, signed_key_t<T> first, key_bits_t<T> span) {
  return distance<T>(keys, first) <= span;
}

template <typename T>
SGNN_INLINE lanes_t<T> lanes_set(const uint8_t* bytes) {
  return __builtin_convertvector(*reinterpret_cast<const byte_vec<T>*>(bytes), key_vec<T>) != 0;
}

template <typename T>
constexpr lanes_t<T> kAllLanes = key_vec<T>{} - 1;

template <typename T>
SGNN_INLINE uint32_t lane_bits(lanes_t<T> lanes) {
#if defined(__AVX2__)
  if constexpr (sizeof(signed_key_t<T>) == 4) {
    return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(lanes)));
  } else {
    return static_cast<uint32_t>(_mm256_movemask_pd(reinterpret_cast<__m256d>(lanes)));
  }
#else
  uint32_t bits = 0;
  for (int lane = 0; lane < kKeyLanes<T>; ++lane) {
    bits |= static_cast<uint32_t>(lanes[lane] & 1) << lane;
  }
  return bits;
#endif
}

// One byte a lane: 1 where the lane is set.
template <typename T>
SGNN_INLINE void store_flags(uint8_t* out, lanes_t<T> lanes) {
  *reinterpret_cast<byte_vec<T>*>(out) = __builtin_convertvector(lanes & 1, byte_vec<T>);
}
#endif

}  // namespace sgnn::cpu::SGNN_ISA

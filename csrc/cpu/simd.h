// Fixed-width vectors of accumulators, in a namespace per instruction set.
//
// Every kernel source is compiled once per instruction set with SGNN_ISA and SGNN_VECTOR_BYTES set
// by the build, and the best one is chosen at run time. All helpers are force-inlined members of
// that namespace: the linker must never merge code of two instruction sets.
#pragma once

#include <cstdint>

#include "sgnn/types.h"

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define SGNN_INLINE inline __attribute__((always_inline))
#define SGNN_OUT_OF_LINE __attribute__((noinline))

namespace sgnn::cpu::SGNN_ISA {

constexpr int kVectorBytes = SGNN_VECTOR_BYTES;

template <typename A>
struct VectorOf {
  // Alignment of one element: loads and stores may be unaligned.
  typedef A type __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(alignof(A))));
  static constexpr int kLanes = SGNN_VECTOR_BYTES / static_cast<int>(sizeof(A));
};
template <typename A>
using vec_t = typename VectorOf<A>::type;
template <typename A>
constexpr int kLanes = VectorOf<A>::kLanes;

typedef uint16_t u16_vec __attribute__((vector_size(SGNN_VECTOR_BYTES / 2), aligned(2)));
typedef uint32_t u32_vec __attribute__((vector_size(SGNN_VECTOR_BYTES), aligned(4)));

template <typename A>
SGNN_INLINE vec_t<A> splat(A value) {
  return value - vec_t<A>{};
}

SGNN_INLINE vec_t<float> load(const float* p) { return *reinterpret_cast<const vec_t<float>*>(p); }
SGNN_INLINE vec_t<double> load(const double* p) {
  return *reinterpret_cast<const vec_t<double>*>(p);
}

// bf16 bits in the low half of every lane to fp32.
template <typename V>
SGNN_INLINE vec_t<float> widen_bf16(V bits) {
  return reinterpret_cast<vec_t<float>>(reinterpret_cast<u32_vec>(bits) << 16);
}

// Intrinsics where there are any: GCC 12 converts the halves of a vector apart.
SGNN_INLINE vec_t<float> load(const BFloat16* p) {
#if defined(__AVX512F__)
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return widen_bf16(_mm512_maskz_cvtepu16_epi32(0xffff, raw));
#elif defined(__AVX2__)
  return widen_bf16(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  return widen_bf16(__builtin_convertvector(*reinterpret_cast<const u16_vec*>(p), u32_vec));
#endif
}

SGNN_INLINE vec_t<float> load(const Half* p) {
#if defined(__AVX512F__)
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return reinterpret_cast<vec_t<float>>(_mm512_maskz_cvtph_ps(0xffff, raw));
#elif defined(__F16C__)
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return reinterpret_cast<vec_t<float>>(_mm256_cvtph_ps(raw));
#else
  vec_t<float> out{};
  for (int lane = 0; lane < kLanes<float>; ++lane) out[lane] = to_acc(p[lane]);
  return out;
#endif
}

SGNN_INLINE void store(float* p, vec_t<float> v) { *reinterpret_cast<vec_t<float>*>(p) = v; }
SGNN_INLINE void store(double* p, vec_t<double> v) { *reinterpret_cast<vec_t<double>*>(p) = v; }

SGNN_INLINE void store(BFloat16* p, vec_t<float> v) {
  const u32_vec bits = reinterpret_cast<u32_vec>(v);
  const u32_vec rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const u32_vec is_nan = reinterpret_cast<u32_vec>((bits & 0x7fffffffu) > 0x7f800000u);
  const u32_vec out = (is_nan & 0x7fc0u) | (~is_nan & rounded);
  *reinterpret_cast<u16_vec*>(p) = __builtin_convertvector(out, u16_vec);
}

SGNN_INLINE void store(Half* p, vec_t<float> v) {
#if defined(__AVX512F__)
  const __m256i raw =
      _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(v), _MM_FROUND_TO_NEAREST_INT);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), raw);
#elif defined(__F16C__)
  const __m128i raw = _mm256_cvtps_ph(reinterpret_cast<__m256>(v), _MM_FROUND_TO_NEAREST_INT);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), raw);
#else
  for (int lane = 0; lane < kLanes<float>; ++lane) p[lane] = from_acc<Half>(v[lane]);
#endif
}

// Stores to memory without first reading the line into the caches, where the processor can; `p` is
// aligned to a whole vector. Other threads see it after fence_stores().
SGNN_INLINE void store_past_caches(float* p, vec_t<float> v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
  store(p, v);
#endif
}
SGNN_INLINE void store_past_caches(double* p, vec_t<double> v) {
#if defined(__AVX512F__)
  _mm512_stream_pd(p, reinterpret_cast<__m512d>(v));
#elif defined(__AVX2__)
  _mm256_stream_pd(p, reinterpret_cast<__m256d>(v));
#else
  store(p, v);
#endif
}
template <typename T>
SGNN_INLINE void store_past_caches(T* p, vec_t<float> v) {
  store(p, v);
}
SGNN_INLINE void fence_stores() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

// Loads `count` < lanes elements and zeros; never touches memory past them.
template <typename T>
SGNN_INLINE vec_t<acc_t<T>> load_partial(const T* p, int count) {
  vec_t<acc_t<T>> out{};
  for (int lane = 0; lane < count; ++lane) out[lane] = to_acc(p[lane]);
  return out;
}

template <typename T>
SGNN_INLINE void store_partial(T* p, vec_t<acc_t<T>> v, int count) {
  for (int lane = 0; lane < count; ++lane) p[lane] = from_acc<T>(v[lane]);
}

#if defined(__AVX512F__)
template <>
SGNN_INLINE vec_t<float> load_partial<BFloat16>(const BFloat16* p, int count) {
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1u);
  return widen_bf16(_mm512_maskz_cvtepu16_epi32(0xffff, _mm256_maskz_loadu_epi16(lanes, p)));
}
template <>
SGNN_INLINE vec_t<float> load_partial<Half>(const Half* p, int count) {
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1u);
  return reinterpret_cast<vec_t<float>>(
      _mm512_maskz_cvtph_ps(0xffff, _mm256_maskz_loadu_epi16(lanes, p)));
}
template <>
SGNN_INLINE vec_t<float> load_partial<float>(const float* p, int count) {
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1u);
  return reinterpret_cast<vec_t<float>>(_mm512_maskz_loadu_ps(lanes, p));
}
template <>
SGNN_INLINE vec_t<double> load_partial<double>(const double* p, int count) {
  const __mmask8 lanes = static_cast<__mmask8>((1u << count) - 1u);
  return reinterpret_cast<vec_t<double>>(_mm512_maskz_loadu_pd(lanes, p));
}
template <>
SGNN_INLINE void store_partial<float>(float* p, vec_t<float> v, int count) {
  const __mmask16 lanes = static_cast<__mmask16>((1u << count) - 1u);
  _mm512_mask_storeu_ps(p, lanes, reinterpret_cast<__m512>(v));
}
template <>
SGNN_INLINE void store_partial<double>(double* p, vec_t<double> v, int count) {
  const __mmask8 lanes = static_cast<__mmask8>((1u << count) - 1u);
  _mm512_mask_storeu_pd(p, lanes, reinterpret_cast<__m512d>(v));
}
#elif defined(__AVX2__)
SGNN_INLINE __m256i lane_mask(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
template <>
SGNN_INLINE vec_t<float> load_partial<float>(const float* p, int count) {
  return reinterpret_cast<vec_t<float>>(_mm256_maskload_ps(p, lane_mask(count)));
}
template <>
SGNN_INLINE void store_partial<float>(float* p, vec_t<float> v, int count) {
  _mm256_maskstore_ps(p, lane_mask(count), reinterpret_cast<__m256>(v));
}
#endif

// `count` elements, at most a whole vector.
template <typename T>
SGNN_INLINE vec_t<acc_t<T>> load_first(const T* p, int count) {
  return count == kLanes<acc_t<T>> ? load(p) : load_partial<T>(p, count);
}
template <typename T>
SGNN_INLINE void store_first(T* p, vec_t<acc_t<T>> v, int count) {
  if (count == kLanes<acc_t<T>>) return store(p, v);
  store_partial<T>(p, v, count);
}

template <typename A>
SGNN_INLINE A horizontal_sum(vec_t<A> v) {
  A lanes[kLanes<A>];
  *reinterpret_cast<vec_t<A>*>(lanes) = v;
#pragma GCC unroll 8
  for (int width = kLanes<A> / 2; width > 0; width /= 2) {
#pragma GCC unroll 16
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// The sums of four vectors.
template <typename A>
SGNN_INLINE void horizontal_sum4(const vec_t<A>* v, A* out) {
  for (int i = 0; i < 4; ++i) out[i] = horizontal_sum<A>(v[i]);
}

#if defined(__AVX512F__)
template <>
SGNN_INLINE void horizontal_sum4<float>(const vec_t<float>* v, float* out) {
  const __m512 a = reinterpret_cast<__m512>(v[0]), b = reinterpret_cast<__m512>(v[1]);
  const __m512 c = reinterpret_cast<__m512>(v[2]), d = reinterpret_cast<__m512>(v[3]);
  // Within every 128 bits: first a and b, c and d interleaved, then all four.
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512 abcd =
      _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  const __m512 half = _mm512_add_ps(abcd, _mm512_shuffle_f32x4(abcd, abcd, 0x4e));
  const __m512 sum = _mm512_add_ps(half, _mm512_shuffle_f32x4(half, half, 0xb1));
  _mm_storeu_ps(out, _mm512_castps512_ps128(sum));
}
#elif defined(__AVX2__)
template <>
SGNN_INLINE void horizontal_sum4<float>(const vec_t<float>* v, float* out) {
  const __m256 a = reinterpret_cast<__m256>(v[0]), b = reinterpret_cast<__m256>(v[1]);
  const __m256 c = reinterpret_cast<__m256>(v[2]), d = reinterpret_cast<__m256>(v[3]);
  const __m256 abcd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  const __m128 sum = _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
  _mm_storeu_ps(out, sum);
}
#endif

// max(v, 0) that lets NaN through, as torch.relu does.
template <typename V>
SGNN_INLINE V relu_vec(V v) {
  const V zero{};
  return v < zero ? zero : v;
}

}  // namespace sgnn::cpu::SGNN_ISA

// Element and index types of every kernel.
//
// Storage is fp32, fp64, fp16 or bf16; arithmetic is done in acc_t<T>: double for fp64, float for
// the rest. Edge values, scales and biases are always stored as acc_t<T>.
#pragma once

#include <cstdint>
#include <cstring>

#include "sgnn/macros.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace sgnn {

enum class DType : int32_t { kFloat32, kFloat64, kFloat16, kBFloat16 };
enum class IndexType : int32_t { kInt32, kInt64 };

inline int64_t element_bytes(DType dtype) {
  if (dtype == DType::kFloat64) return 8;
  return dtype == DType::kFloat32 ? 4 : 2;
}

// 16-bit storage types. They carry bits only, so the same struct crosses every compiler.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

template <typename T>
struct AccType {
  using type = float;
};
template <>
struct AccType<double> {
  using type = double;
};
template <typename T>
using acc_t = typename AccType<T>::type;

SGNN_HD float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

SGNN_HD uint32_t float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

SGNN_HD float to_acc(float value) { return value; }
SGNN_HD double to_acc(double value) { return value; }
SGNN_HD float to_acc(BFloat16 value) {
  return bits_to_float(static_cast<uint32_t>(value.bits) << 16);
}

SGNN_HD float to_acc(Half value) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(value.bits));
#else
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1fu;
  const uint32_t fraction = value.bits & 0x3ffu;
  if (exponent == 0x1fu) return bits_to_float(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return bits_to_float(sign | ((exponent + 112u) << 23) | (fraction << 13));
  const float magnitude =
      static_cast<float>(fraction) * (1.0f / 16777216.0f);  // subnormal: * 2^-24
  return sign != 0 ? -magnitude : magnitude;
#endif
}

// Rounds an accumulator to storage, to nearest and ties to even, as torch does.
template <typename T>
SGNN_HD T from_acc(acc_t<T> value);

template <>
SGNN_HD float from_acc<float>(float value) {
  return value;
}

template <>
SGNN_HD double from_acc<double>(double value) {
  return value;
}

template <>
SGNN_HD BFloat16 from_acc<BFloat16>(float value) {
  const uint32_t bits = float_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return BFloat16{0x7fc0u};
  return BFloat16{static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

template <>
SGNN_HD Half from_acc<Half>(float value) {
#if defined(__CUDA_ARCH__)
  return Half{__half_as_ushort(__float2half_rn(value))};
#else
  const uint32_t bits = float_to_bits(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return Half{static_cast<uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return Half{static_cast<uint16_t>(sign | 0x7c00u)};
  if (magnitude <
      0x38800000u) {  // below 2^-14: adding 0.5 aligns the subnormal bits and rounds them
    const float aligned = bits_to_float(magnitude) + 0.5f;
    return Half{static_cast<uint16_t>(sign | (float_to_bits(aligned) - 0x3f000000u))};
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return Half{static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13))};
#endif
}

}  // namespace sgnn

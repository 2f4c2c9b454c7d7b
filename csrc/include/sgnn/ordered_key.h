// Maps scores to unsigned keys whose integer order is the order of topk_mask: larger score, larger
// key.
#pragma once

#include <cstdint>
#include <cstring>

#include "sgnn/macros.h"
#include "sgnn/types.h"

namespace sgnn {

template <typename T>
struct OrderedKey {
  using type = uint32_t;
};
template <>
struct OrderedKey<double> {
  using type = uint64_t;
};
template <typename T>
using ordered_key_t = typename OrderedKey<T>::type;

// NaN maps to 0, below the key of -inf; both zeros map to the same key.
SGNN_HD uint32_t ordered_key(float value) {
  if (value != value) return 0;
  const uint32_t bits = float_to_bits(value == 0.0f ? 0.0f : value);
  return (bits & 0x80000000u) != 0 ? ~bits : (bits | 0x80000000u);
}

SGNN_HD uint64_t ordered_key(double value) {
  if (value != value) return 0;
  const double canonical = value == 0.0 ? 0.0 : value;
  uint64_t bits;
  memcpy(&bits, &canonical, sizeof(bits));
  const uint64_t sign = 0x8000000000000000ull;
  return (bits & sign) != 0 ? ~bits : (bits | sign);
}

SGNN_HD uint32_t ordered_key(Half value) { return ordered_key(to_acc(value)); }
SGNN_HD uint32_t ordered_key(BFloat16 value) { return ordered_key(to_acc(value)); }

}  // namespace sgnn

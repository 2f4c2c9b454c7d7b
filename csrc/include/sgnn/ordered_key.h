// Maps scores to unsigned keys whose integer order is the order of topk_mask: larger score, larger
// key. Integer arithmetic only, so that no rounding or denormal mode of the processor changes it.
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

// Below the key of every score: what takes no part in a selection.
inline constexpr uint32_t kAbsentKey = 0;

// NaN maps to 1, below the key of -inf; both zeros map to the same key. With `magnitude` the key is
// that of |value|.
SGNN_HD uint32_t ordered_key(float value, bool magnitude = false) {
  const uint32_t sign = 0x80000000u;
  const uint32_t bits = float_to_bits(value);
  if ((bits & ~sign) > 0x7f800000u) return 1;
  if (magnitude || bits == sign) return bits | sign;
  return (bits & sign) != 0 ? ~bits : (bits | sign);
}

SGNN_HD uint64_t ordered_key(double value, bool magnitude = false) {
  const uint64_t sign = 0x8000000000000000ull;
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  if ((bits & ~sign) > 0x7ff0000000000000ull) return 1;
  if (magnitude || bits == sign) return bits | sign;
  return (bits & sign) != 0 ? ~bits : (bits | sign);
}

SGNN_HD uint32_t ordered_key(Half value, bool magnitude = false) {
  return ordered_key(to_acc(value), magnitude);
}
SGNN_HD uint32_t ordered_key(BFloat16 value, bool magnitude = false) {
  return ordered_key(to_acc(value), magnitude);
}

}  // namespace sgnn

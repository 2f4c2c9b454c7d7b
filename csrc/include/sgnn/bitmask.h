// Packed binary masks: bit e lives in byte e / 8 at position e % 8 (little bit order).
#pragma once

#include <cstdint>

#include "sgnn/macros.h"

namespace sgnn {

SGNN_HD bool test_bit(const uint8_t* bits, int64_t index) {
  return ((bits[index >> 3] >> (index & 7)) & 1) != 0;
}

SGNN_HD int64_t packed_bytes(int64_t count) { return (count + 7) >> 3; }

}  // namespace sgnn

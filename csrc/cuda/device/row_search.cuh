// Finds the CSR row of a stored position.
#pragma once

#include <cstdint>

#include "sgnn/macros.h"

namespace sgnn {

// The row r in [low, high) with rowptr[r] <= position < rowptr[r + 1]. Requires rowptr[low] <=
// position < rowptr[high]; empty rows are passed over.
template <typename Index>
SGNN_HD int64_t row_of(const Index* rowptr, int64_t low, int64_t high, int64_t position) {
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (static_cast<int64_t>(rowptr[middle]) <= position) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace sgnn

// Splits CSR rows into contiguous parts of equal work, where a row costs its non-zeros plus one.
#pragma once

#include <cstdint>

#include "sgnn/macros.h"

namespace sgnn {

// First row of part `part` of `num_parts`: the smallest row r with rowptr[r] + r >= part's share of
// the total work. Parts tile [0, num_rows) exactly; a part may be empty. A row is never split.
template <typename Index>
SGNN_HD int64_t partition_row(const Index* rowptr, int64_t num_rows, int64_t num_parts,
                              int64_t part) {
  if (part >= num_parts) return num_rows;
  const int64_t total = static_cast<int64_t>(rowptr[num_rows]) + num_rows;
  const int64_t per_part = total / num_parts;
  const int64_t extra = total % num_parts;
  const int64_t target = per_part * part + (part < extra ? part : extra);
  int64_t low = 0;
  int64_t high = num_rows;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (static_cast<int64_t>(rowptr[middle]) + middle < target) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace sgnn

// The transpose of a dense matrix, copied: y[c, r] = x[r, c], both contiguous. On the CPU alone: a
// GPU's copy of a strided view does the same.
#pragma once

#include <cstdint>

namespace sgnn {

struct TransposeArgs {
  const void* x = nullptr;  // [rows, cols]
  void* y = nullptr;        // [cols, rows]
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t element_bytes = 0;  // 2, 4 or 8
};

// Rows [begin, end) of y on the calling thread.
void transpose_cpu(const TransposeArgs& args, int64_t begin, int64_t end);

}  // namespace sgnn

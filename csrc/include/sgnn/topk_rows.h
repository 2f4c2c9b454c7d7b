// Exact top-k of every row: the k largest elements, in ascending order of their columns.
//
// Order: larger value (or magnitude) first; equal ones (+0 equals -0) by lowest column; NaN after
// every number, so a NaN is kept only when k forces it. The same ids on every device and any thread
// count.
#pragma once

#include <cstdint>

#include "sgnn/sparse_rows.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct TopkRowsArgs {
  DType dtype = DType::kFloat32;  // T
  int64_t num_rows = 0;           // N
  int64_t width = 0;              // F
  int64_t k = 0;                  // 0 <= k <= F
  bool magnitude = false;         // rank |x| instead of x
  const void* x = nullptr;        // T [N, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* values = nullptr;  // T [N, k]
  void* ids = nullptr;     // id_type_for(F) [N, k]
};

// Selects rows [begin, end) on the calling thread.
void topk_rows_cpu(const TopkRowsArgs& args, int64_t begin, int64_t end);

Status topk_rows_cuda(const TopkRowsArgs& args, Stream stream);

}  // namespace sgnn

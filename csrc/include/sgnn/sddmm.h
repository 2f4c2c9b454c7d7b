// SDDMM: out[id_e] = c_e * dot(a[i], b[j]) for every kept edge e = (j -> i), 0 for a dropped one.
//
// c_e = coef[id] * row_scale[i] * col_scale[j] with every factor optional. Accumulates in acc_t<T>;
// deterministic, independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SddmmArgs {
  CsrArg csr;                     // [M, K] pattern
  DType dtype = DType::kFloat32;  // T: element type of a and b
  int64_t width = 0;              // F
  const void* a = nullptr;        // T [M, F], rows `a_stride` elements apart
  int64_t a_stride = 0;
  const void* b = nullptr;  // T [K, F], rows `b_stride` elements apart
  int64_t b_stride = 0;
  void* out = nullptr;              // acc_t<T> [nnz] by edge id, every element is written
  const void* coef = nullptr;       // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;    // packed bits by edge id, or null to keep every edge
  const void* row_scale = nullptr;  // acc_t<T> [M] or null
  const void* col_scale = nullptr;  // acc_t<T> [K] or null
};

// Computes the edges of rows [row_begin, row_end) on the calling thread.
void sddmm_cpu(const SddmmArgs& args, int64_t row_begin, int64_t row_end);

// Enqueues all edges on `stream`; pointers are device pointers. Neither allocates nor synchronises.
Status sddmm_cuda(const SddmmArgs& args, Stream stream);

}  // namespace sgnn

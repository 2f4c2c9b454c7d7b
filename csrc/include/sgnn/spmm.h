// SpMM: y[i] = act(scale_i * sum over kept edges e = (j -> i) of c_e * x[j] + bias)   [M, F]
//
// c_e = weight[id] * mask[id] * col_scale[j] with every factor optional; an edge whose bit is clear
// is skipped, so a NaN or Inf behind it cannot reach y. scale_i = row_scale[i], and for `mean` also
// 1 / (number of kept edges of row i). A row without kept edges sums to zero.
// Accumulates in acc_t<T>, in stored edge order: the result does not depend on the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SpmmArgs {
  CsrArg csr;                     // [M, K] pattern
  DType dtype = DType::kFloat32;  // T: element type of x and y
  int64_t width = 0;              // F
  const void* x = nullptr;        // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* y = nullptr;                // T [M, F], contiguous, every element is written
  const void* weight = nullptr;     // acc_t<T> [nnz] by edge id, or null for 1
  const void* mask = nullptr;       // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;    // packed bits by edge id, or null to keep every edge
  const void* row_scale = nullptr;  // acc_t<T> [M] or null
  const void* col_scale = nullptr;  // acc_t<T> [K] or null
  const void* bias = nullptr;       // acc_t<T> [F] or null
  bool mean = false;
  bool relu = false;
};

// Computes columns [feature_begin, feature_end) of rows [row_begin, row_end) on the calling thread.
void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end);

inline void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end) {
  spmm_cpu(args, row_begin, row_end, 0, args.width);
}

// How many columns to compute at a time, for all rows, so that the gathers stay in cache.
int64_t spmm_cpu_slice(const SpmmArgs& args);

// Enqueues all rows on `stream`; pointers are device pointers. Neither allocates nor synchronises.
Status spmm_cuda(const SpmmArgs& args, Stream stream);

}  // namespace sgnn

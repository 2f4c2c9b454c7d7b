// SpMM, over the kept edges e = (j -> i) of every row i:                                  [M, F]
//
//   y[i] = residual[i] + dropout(act(scale_i * sum_e c_e * x[j] + bias))
//
// c_e = weight[id] * mask[id] * col_scale[j] with every factor optional; an edge whose bit is clear
// is skipped, so a NaN or Inf behind it cannot reach y. scale_i = row_scale[i], and for `mean` also
// 1 / (number of kept edges of row i). A row without kept edges sums to zero. Dropout keeps element
// (i, f) when dropout_keeps(*seed, i * F + f, threshold) and scales it by 65536 / threshold; a
// dropped element is zero whatever its value was.
// Accumulates in acc_t<T>, in an order that follows from the graph, the dropped edges and the width
// of x: the result does not depend on the thread count. The epilogue is computed in acc_t<T> and
// rounded once, to the type of y.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/random.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SpmmArgs {
  CsrArg csr;                         // [M, K] pattern
  DType dtype = DType::kFloat32;      // T: element type of x
  DType out_dtype = DType::kFloat32;  // O: of y and residual; acc_t<O> = acc_t<T>
  int64_t width = 0;                  // F
  const void* x = nullptr;  // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* y = nullptr;                // O [M, F], contiguous, every element is written
  const void* weight = nullptr;     // acc_t<T> [nnz] by edge id, or null for 1
  const void* mask = nullptr;       // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;    // packed bits by edge id, or null to keep every edge
  const void* row_scale = nullptr;  // acc_t<T> [M] or null
  const void* col_scale = nullptr;  // acc_t<T> [K] or null
  const void* bias = nullptr;       // acc_t<T> [F] or null
  bool mean = false;
  bool relu = false;
  const void* residual = nullptr;  // O [M, F] or null, rows `residual_stride` elements apart
  int64_t residual_stride = 0;
  uint32_t dropout_threshold = kKeepAll;  // kKeepAll drops nothing and reads no seed
  const int64_t* seed = nullptr;          // [1], where the op runs: a captured graph may change it
  int64_t x_first = 0;                    // column of y that x begins with; on the CPU alone
};

// Computes columns [feature_begin, feature_end) of rows [row_begin, row_end) on the calling thread.
void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end);

inline void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end) {
  spmm_cpu(args, row_begin, row_end, 0, args.width);
}

// How many columns to compute at a time, for all rows, so that the gathers stay in cache, and
// whether from a copy of these columns: in place, rows at a distance of a power of two share few
// cache sets.
struct SpmmSlice {
  int64_t columns;
  bool packed;
};
SpmmSlice spmm_cpu_slice(const SpmmArgs& args);

// How many columns spmm_push_cpu should compute at a time; 0 where gathering is faster, or where
// there is an epilogue. A property of the shapes alone.
int64_t spmm_cpu_push_slice(const SpmmArgs& args);

// Computes columns [feature_begin, feature_end), at most that many, of all rows on the calling
// thread. `by_source` is the transpose of args.csr. Sums are taken in the order of the sources.
void spmm_push_cpu(const SpmmArgs& args, const CsrArg& by_source, int64_t feature_begin,
                   int64_t feature_end);

// Bytes of device memory that spmm_cuda needs beside its arguments; zero for small graphs.
int64_t spmm_workspace(const SpmmArgs& args);

// Enqueues all rows on `stream`; pointers are device pointers, `workspace` is 16-byte aligned and
// may be null when its size is zero. Neither allocates nor synchronises.
Status spmm_cuda(const SpmmArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

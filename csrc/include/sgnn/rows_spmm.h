// SpMM with a sparse operand X [K, F], over the kept edges e = (j -> i) of a graph:
//
//   rows_spmm:         y[i]      = row_scale[i] * sum_e weight[id] * col_scale[j] * X[j]     [M, F]
//   rows_spmm_edges:   edges[id] = row_scale[i] * col_scale[j] * dot(X[j], g[i])             [nnz]
//   rows_spmm_values:  values[p] = col_scale[j] * sum_e weight[id] * row_scale[i] * g[i, c]
//                      for every stored entry p = (j, c) of X, and nothing elsewhere
//
// Every factor is optional; an edge whose bit is clear is skipped, its entry of `edges` is zero.
// With a pattern, y and g are sparse: one value per stored entry of it.
// Accumulates in acc_t<T> in stored edge order: the result does not depend on the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/sparse_rows.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct RowsSpmmArgs {
  CsrArg csr;                       // [M, K]
  DType dtype = DType::kFloat32;    // T
  RowsArg x;                        // [K, F]
  const void* weight = nullptr;     // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;    // packed bits by edge id, or null to keep every edge
  const void* row_scale = nullptr;  // acc_t<T> [M] or null
  const void* col_scale = nullptr;  // acc_t<T> [K] or null
  void* y = nullptr;                // T [M, F], contiguous, every element is written
  const void* g = nullptr;          // T [M, F], rows `g_stride` elements apart
  int64_t g_stride = 0;
  CsrArg pattern;          // CPU only: [M, F] of y and g, T [nnz] each; without columns: dense
  void* edges = nullptr;   // acc_t<T> [nnz] by edge id, or null
  void* values = nullptr;  // see below, or null
};

// Computes y of rows [begin, end) on the calling thread.
void rows_spmm_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end);

// Whether y is computed faster by spmm_cpu from a dense copy of x: one that stays in the L2 cache,
// with so many stored entries that whole vectors cost less than the entries one by one.
bool rows_spmm_dense_pays(const RowsSpmmArgs& args);

// Writes x as T [K, F]. Returns false, `dense` being of no use, where x stores a place twice.
bool rows_to_dense_cpu(const RowsSpmmArgs& args, void* dense);

// Whether all of weight[begin, end) is finite: beside any other an absent entry is no zero.
bool finite_weights_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end);

// Writes `edges` of the kept edges of rows [begin, end), and adds their share to `values`, acc_t<T>
// [nnz of X], a sum over all rows. For few columns K: the caller adds the sums of several ranges.
void rows_spmm_edges_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end);

// Writes `values`, T [nnz of X], of rows [begin, end) of X. Here `csr` is the transpose [K, M].
void rows_spmm_values_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end);

// The sum over num_sums vectors of acc_t<T> [size], in their order, as T.
void sum_values_cpu(DType dtype, const void* sums, int64_t num_sums, int64_t size, void* values);

Status rows_spmm_cuda(const RowsSpmmArgs& args, Stream stream);
Status rows_spmm_edges_cuda(const RowsSpmmArgs& args, Stream stream);  // leaves `values` alone
Status rows_spmm_values_cuda(const RowsSpmmArgs& args, Stream stream);

}  // namespace sgnn

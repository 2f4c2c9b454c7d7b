// Largest or smallest message of every target, and the edge that it came from:
//
//   y[i, f] = max (or min) over kept edges e = (j -> i) of c_e * x[j, f],   arg[i, f] = id of e
//
// c_e = weight[id] * mask[id], every factor optional; an edge whose bit is clear is skipped. Among
// equals the edge stored first wins. NaN beats every number, as in torch.amax. A row without kept
// edges has y = 0 and arg = -1. Deterministic, independent of the thread count.
//
// The gradients flow along those edges alone, over the transpose:
//
//   dx[j, f]   = sum over kept edges e = (j -> i) with arg[i, f] = id of c_e * g[i, f]
//   d_edge[id] = sum over the f with arg[i, f] = id of g[i, f] * x[j, f]
//
// The gradient of the weight is d_edge * mask, that of the mask d_edge * weight. A dropped edge is
// named by no arg: the gradients need no bits.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SpmmExtremeArgs {
  CsrArg csr;                     // [M, K] pattern
  DType dtype = DType::kFloat32;  // T: element type of x and y
  int64_t width = 0;              // F
  const void* x = nullptr;        // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* y = nullptr;              // T [M, F], contiguous, every element is written
  void* arg = nullptr;            // index type [M, F], contiguous, or null where none is needed
  const void* weight = nullptr;   // acc_t<T> [nnz] by edge id, or null for 1
  const void* mask = nullptr;     // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;  // packed bits by edge id, or null to keep every edge
  bool smallest = false;
};

struct SpmmExtremeGradArgs {
  CsrArg csr;                     // [K, M] pattern: a row holds the targets of one source
  DType dtype = DType::kFloat32;  // T: element type of g, x and dx
  int64_t width = 0;              // F
  const void* g = nullptr;        // T [M, F], rows `g_stride` elements apart, columns contiguous
  int64_t g_stride = 0;
  const void* arg = nullptr;  // index type [M, F], contiguous
  const void* x = nullptr;    // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* dx = nullptr;            // T [K, F], contiguous, every element is written
  void* d_edge = nullptr;        // acc_t<T> [nnz] by edge id, every element is written
  const void* weight = nullptr;  // acc_t<T> [nnz] by edge id, or null for 1
  const void* mask = nullptr;    // acc_t<T> [nnz] by edge id, or null for 1
};

// Computes rows [row_begin, row_end) on the calling thread.
void spmm_extreme_cpu(const SpmmExtremeArgs& args, int64_t row_begin, int64_t row_end);
void spmm_extreme_grad_cpu(const SpmmExtremeGradArgs& args, int64_t row_begin, int64_t row_end);

// Bytes of device memory that spmm_extreme_cuda needs beside its arguments; zero for small graphs.
int64_t spmm_extreme_workspace(const SpmmExtremeArgs& args);

// Enqueue all rows on `stream`; pointers are device pointers. `workspace` is 16-byte aligned and
// may be null: without one hub rows are left whole. Neither allocates nor synchronises.
Status spmm_extreme_cuda(const SpmmExtremeArgs& args, void* workspace, Stream stream);
Status spmm_extreme_grad_cuda(const SpmmExtremeGradArgs& args, Stream stream);

}  // namespace sgnn

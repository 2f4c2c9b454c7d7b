// Gradients of SpMM with respect to its features and its edge values, from one gather of g:
//
//   dx[j]      = s_j * sum over kept edges e = (j -> i) of c_e * t_i * g[i]     [K, F]
//   d_edge[id] = s_j * t_i * dot(g[i], x[j]) for a kept edge, 0 for a dropped one   [nnz]
//
// c_e = weight[id] * mask[id], s = source_scale, t = target_scale, every factor optional. The
// gradient of the weight is d_edge * mask, that of the mask d_edge * weight. A source without kept
// edges gets zero. Accumulates in acc_t<T>, in stored edge order: deterministic, independent of the
// thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SpmmGradArgs {
  CsrArg csr;                     // [K, M] pattern: a row holds the targets of one source
  DType dtype = DType::kFloat32;  // T: element type of g, x and dx
  int64_t width = 0;              // F
  const void* g = nullptr;        // T [M, F], rows `g_stride` elements apart, columns contiguous
  int64_t g_stride = 0;
  const void* x = nullptr;  // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  void* dx = nullptr;                  // T [K, F], contiguous, every element is written
  void* d_edge = nullptr;              // acc_t<T> [nnz] by edge id, every element is written
  const void* weight = nullptr;        // acc_t<T> [nnz] by edge id, or null for 1
  const void* mask = nullptr;          // acc_t<T> [nnz] by edge id, or null for 1
  const uint8_t* bits = nullptr;       // packed bits by edge id, or null to keep every edge
  const void* source_scale = nullptr;  // acc_t<T> [K] or null
  const void* target_scale = nullptr;  // acc_t<T> [M] or null
};

// Computes rows [row_begin, row_end) of dx and their edges on the calling thread.
void spmm_grad_cpu(const SpmmGradArgs& args, int64_t row_begin, int64_t row_end);

// Bytes of device memory that spmm_grad_cuda needs beside its arguments; zero for small graphs.
int64_t spmm_grad_workspace(const SpmmGradArgs& args);

// Enqueues everything on `stream`; pointers are device pointers, `workspace` is 16-byte aligned and
// may be null when its size is zero. Neither allocates nor synchronises.
Status spmm_grad_cuda(const SpmmGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

// Linear layers whose weight W [O, K] is CSR with values of type acc_t<T>.
//
// sparse_linear:       y[n, o] = sum_j value_j * x[n, col_j] over row o of W, plus bias[o]     [N,
// O] sparse_linear_grad:  s_j     = sum_n g[n, row_j] * x[n, col_j] for the stored j only [nnz] The
// gradient of x is sparse_linear over the transpose of W. Accumulates in acc_t<T>; deterministic,
// independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SparseLinearArgs {
  CsrArg csr;                     // [O, K] pattern of W
  DType dtype = DType::kFloat32;  // T: element type of x and y
  int64_t num_samples = 0;        // N
  const void* x = nullptr;        // T [N, K] contiguous
  const void* values = nullptr;   // acc_t<T> [nnz] by edge id
  const void* bias = nullptr;     // acc_t<T> [O] or null
  void* y = nullptr;              // T [N, O] contiguous, every element is written
};

struct SparseLinearGradArgs {
  CsrArg csr;                     // [O, K] pattern of W
  DType dtype = DType::kFloat32;  // T: element type of g and x
  int64_t num_samples = 0;        // N
  const void* g = nullptr;        // T [N, O] contiguous
  const void* x = nullptr;        // T [N, K] contiguous
  void* out = nullptr;            // acc_t<T> [nnz] by edge id, every element is written
};

// Computes samples [sample_begin, sample_end) on the calling thread.
void sparse_linear_cpu(const SparseLinearArgs& args, int64_t sample_begin, int64_t sample_end);

// Computes the non-zeros of weight rows [row_begin, row_end) on the calling thread.
void sparse_linear_grad_cpu(const SparseLinearGradArgs& args, int64_t row_begin, int64_t row_end);

// The CUDA forms work on transposed copies: `workspace` is device memory of at least the bytes that
// the matching *_workspace function returns, 16-byte aligned.
int64_t sparse_linear_workspace(const SparseLinearArgs& args);
int64_t sparse_linear_grad_workspace(const SparseLinearGradArgs& args);
Status sparse_linear_cuda(const SparseLinearArgs& args, void* workspace, Stream stream);
Status sparse_linear_grad_cuda(const SparseLinearGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

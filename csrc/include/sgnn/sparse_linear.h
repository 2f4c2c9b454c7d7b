// Linear layers whose weight W [O, K] is CSR with values of type acc_t<T>.
//
//   sparse_linear       y[n, o] = sum_j value_j * x[n, col_j] over row o of W, plus bias[o]
//   sparse_linear_grad  s_j     = sum_n g[n, row_j] * x[n, col_j], for the stored j only
//
// The gradient of x is sparse_linear over the transpose of W. Accumulates in acc_t<T>;
// deterministic, independent of the thread count.
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

// The CPU form reads W from a packed copy, made once per call for all threads: the values in stored
// order beside their columns. `packed` is memory of at least sparse_linear_packed_bytes bytes,
// aligned to 64; num_cols must be below 2^31.
int64_t sparse_linear_packed_bytes(const CsrArg& csr, DType dtype);
void sparse_linear_pack(const SparseLinearArgs& args, void* packed);

// Computes samples [sample_begin, sample_end) on the calling thread.
void sparse_linear_cpu(const SparseLinearArgs& args, const void* packed, int64_t sample_begin,
                       int64_t sample_end);

// Samples of a long sum are cut into chunks, whose number depends on the shape alone, so that the
// sum has one order of additions whatever the number of threads.
int64_t sparse_linear_grad_chunks(const SparseLinearGradArgs& args);

// What one thread computes: the sums over samples [sample_begin, sample_end) for the stored
// positions of weight rows [row_begin, row_end). sample_begin is a multiple of 64.
struct LinearGradPart {
  int64_t sample_begin = 0;
  int64_t sample_end = 0;
  int64_t row_begin = 0;
  int64_t row_end = 0;
  void* sums = nullptr;  // acc_t<T> [nnz] by stored position
};
void sparse_linear_grad_cpu(const SparseLinearGradArgs& args, const LinearGradPart& part);

// out[value_index(j)] = the sum over chunks c of sums[c, j], for stored positions [begin, end).
void sparse_linear_grad_sum_cpu(const SparseLinearGradArgs& args, const void* sums, int64_t chunks,
                                int64_t begin, int64_t end);

// The CUDA forms work on transposed copies: `workspace` is device memory of at least the bytes that
// the matching *_workspace function returns, 16-byte aligned.
int64_t sparse_linear_workspace(const SparseLinearArgs& args);
int64_t sparse_linear_grad_workspace(const SparseLinearGradArgs& args);
Status sparse_linear_cuda(const SparseLinearArgs& args, void* workspace, Stream stream);
Status sparse_linear_grad_cuda(const SparseLinearGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

// Linear layers whose weight W [O, K] consists of square blocks of b x b entries, stored or absent.
//
//   block_linear       y[n, o] = sum_k W[o, k] * x[n, k] over the stored blocks, plus bias[o]
//   block_linear_grad  dW[o, k] = sum_n g[n, o] * x[n, k], for the stored blocks only
//
// The pattern is CSR over blocks, [O / b, K / b]; b is 16, 32 or 64. The gradient of x is
// block_linear over the transposed pattern with `transposed` set. Accumulates in acc_t<T>;
// deterministic, independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr bool is_block_size(int64_t b) { return b == 16 || b == 32 || b == 64; }

struct BlockLinearArgs {
  CsrArg csr;                     // [O / b, K / b] pattern of blocks
  DType dtype = DType::kFloat32;  // T: element type of x and y
  int64_t block = 16;             // b
  bool transposed = false;        // true: every stored block stands for its transpose
  int64_t num_samples = 0;        // N
  const void* x = nullptr;        // T [N, K] contiguous
  const void* values = nullptr;   // acc_t<T> [nnz, b, b] by edge id
  const void* bias = nullptr;     // acc_t<T> [O] or null
  void* y = nullptr;              // T [N, O] contiguous, every element is written
};

struct BlockLinearGradArgs {
  CsrArg csr;                     // [O / b, K / b] pattern of blocks
  DType dtype = DType::kFloat32;  // T: element type of g and x
  int64_t block = 16;             // b
  int64_t num_samples = 0;        // N
  const void* g = nullptr;        // T [N, O] contiguous
  const void* x = nullptr;        // T [N, K] contiguous
  void* out = nullptr;            // acc_t<T> [nnz, b, b] by edge id, every element is written
};

// Computes samples [sample_begin, sample_end) on the calling thread.
void block_linear_cpu(const BlockLinearArgs& args, int64_t sample_begin, int64_t sample_end);

// Samples of a long sum are cut into chunks, whose number depends on the shape alone, so that the
// sum has one order of additions whatever the number of threads.
int64_t block_linear_grad_chunks(const BlockLinearGradArgs& args);

// What one thread computes: the sums over samples [sample_begin, sample_end) for the stored blocks
// of block rows [row_begin, row_end).
struct BlockGradPart {
  int64_t sample_begin = 0;
  int64_t sample_end = 0;
  int64_t row_begin = 0;
  int64_t row_end = 0;
  void* sums = nullptr;  // acc_t<T> [nnz, b, b] by stored position
};
void block_linear_grad_cpu(const BlockLinearGradArgs& args, const BlockGradPart& part);

// The sum over chunks c of sums[c] for stored blocks [begin, end), written to their places in out.
void block_linear_grad_sum_cpu(const BlockLinearGradArgs& args, const void* sums, int64_t chunks,
                               int64_t begin, int64_t end);

// `workspace` is device memory of at least block_linear_grad_workspace bytes, 16-byte aligned.
int64_t block_linear_grad_workspace(const BlockLinearGradArgs& args);
Status block_linear_cuda(const BlockLinearArgs& args, Stream stream);
Status block_linear_grad_cuda(const BlockLinearGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

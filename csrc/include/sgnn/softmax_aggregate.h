// Softmax aggregation (Li et al., DeeperGCN, arXiv 2006.07739, definition 3): every channel of a
// target is a weighted mean of the messages of its sources,
//
//   m[j, c] = max(x[j, c], 0) + eps with `relu`, else x[j, c]
//   p_e[c]  = exp(t[c] (m[j, c] - y[i, c]) - log_sum[i, c]) over the kept edges e = (j -> i)
//   y[i, c] = sum of p_e[c] m[j, c],   log_sum[i, c] = log of the sum of exp(t[c] (m[j, c] - y[i,
//   c]))
//
// Exponents are differences of messages of one row: a row neither underflows nor loses bits,
// however large its messages are or whatever the other rows hold. y in log_sum is the result as it
// is stored. Kept edges alone take part; a row without one has y = log_sum = 0. NaN and infinite
// messages give NaN.
//
// The gradients need y and log_sum only, and one gather over the transpose:
//
//   dm[j, c] = sum over kept edges e = (j -> i) of p_e g[i, c] (1 + t[c] (m[j, c] - y[i, c]))
//   dt[c]    = sum over kept edges e = (j -> i) of p_e g[i, c] (m[j, c] - y[i, c]) m[j, c]
//
// dx is dm, with `relu` only where x > 0. 16-bit storage rounds y. Sums are taken in a fixed order:
// deterministic, independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

// What forward and backward share. A stands for acc_t<T>.
struct SoftmaxAggregateInputs {
  CsrArg csr;                     // [M, K] targets by sources; in the backward [K, M]
  DType dtype = DType::kFloat32;  // T: element type of x, y, grad and dx
  int64_t width = 0;              // F
  const void* x = nullptr;        // T [K, F], rows `x_stride` elements apart, columns contiguous
  int64_t x_stride = 0;
  const void* t = nullptr;        // A [F]
  const uint8_t* bits = nullptr;  // packed bits by edge id, or null to keep every edge
  bool relu = false;
  double eps = 0;  // with `relu`
};

struct SoftmaxAggregateArgs : SoftmaxAggregateInputs {
  void* y = nullptr;        // T [M, F], contiguous, every element is written
  void* log_sum = nullptr;  // A [M, F], contiguous, or null where none is needed
};

struct SoftmaxAggregateGradArgs : SoftmaxAggregateInputs {
  const void* grad = nullptr;  // T [M, F], rows `grad_stride` elements apart, columns contiguous
  int64_t grad_stride = 0;
  const void* y = nullptr;        // T [M, F], contiguous: the forward's results
  const void* log_sum = nullptr;  // A [M, F], contiguous
  void* dx = nullptr;             // T [K, F], contiguous, every element is written
};

// Compute rows [row_begin, row_end) on the calling thread. The backward writes to `dt` (A [F], or
// null) the part that these rows have in the gradient of t.
void softmax_aggregate_cpu(const SoftmaxAggregateArgs& args, int64_t row_begin, int64_t row_end);
void softmax_aggregate_grad_cpu(const SoftmaxAggregateGradArgs& args, int64_t row_begin,
                                int64_t row_end, void* dt);

// Bytes of device memory that the launchers need beside their arguments.
int64_t softmax_aggregate_workspace(const SoftmaxAggregateArgs& args);
int64_t softmax_aggregate_grad_workspace(const SoftmaxAggregateGradArgs& args, bool with_dt);

// Enqueue all rows on `stream`; pointers are device pointers, `workspace` is 16-byte aligned. `dt`
// is A [F], or null. Neither allocates nor synchronises.
Status softmax_aggregate_cuda(const SoftmaxAggregateArgs& args, void* workspace, Stream stream);
Status softmax_aggregate_grad_cuda(const SoftmaxAggregateGradArgs& args, void* dt, void* workspace,
                                   Stream stream);

}  // namespace sgnn

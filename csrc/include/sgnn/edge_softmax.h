// Softmax over the kept edges of every target, per head.
//
// edge_softmax: out[id, h] = exp(score[id, h] - m) / sum over kept edges of the same target, with m
// their maximum; a dropped edge gets 0 and its score is never read into a sum.
// edge_softmax_grad: out = p * (g - sum over the kept edges of the target of p * g), where p is the
// softmax and g the gradient of it; 0 for a dropped edge.
// Sums are taken in a fixed order: deterministic, independent of the thread count. A target whose
// kept scores are all -inf, or hold NaN or +inf, gets NaN, as torch.softmax gives.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct EdgeSoftmaxArgs {
  CsrArg csr;                     // [M, K] pattern; the columns are not read
  DType dtype = DType::kFloat32;  // A: fp32 or fp64
  int64_t heads = 0;              // H
  const void* scores = nullptr;   // A [nnz, H] by edge id
  const uint8_t* bits = nullptr;  // packed bits by edge id, or null to keep every edge
  void* out = nullptr;            // A [nnz, H] by edge id, every element is written
};

struct EdgeSoftmaxGradArgs {
  CsrArg csr;
  DType dtype = DType::kFloat32;
  int64_t heads = 0;
  const void* softmax = nullptr;  // A [nnz, H] by edge id: p
  const void* grad = nullptr;     // A [nnz, H] by edge id: g
  const uint8_t* bits = nullptr;
  void* out = nullptr;  // A [nnz, H] by edge id, every element is written
};

// Compute the edges of rows [row_begin, row_end) on the calling thread.
void edge_softmax_cpu(const EdgeSoftmaxArgs& args, int64_t row_begin, int64_t row_end);
void edge_softmax_grad_cpu(const EdgeSoftmaxGradArgs& args, int64_t row_begin, int64_t row_end);

// Enqueue all rows on `stream`; pointers are device pointers. `workspace` has the bytes of
// edge_rows_workspace (sgnn/edge_scores.h) and may be null: without one hub rows are left whole.
// Neither allocate nor synchronise.
Status edge_softmax_cuda(const EdgeSoftmaxArgs& args, void* workspace, Stream stream);
Status edge_softmax_grad_cuda(const EdgeSoftmaxGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

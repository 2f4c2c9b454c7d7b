// Sums along edges and back: what a softmax over neighbours is fed from and differentiated with.
//
// edge_scores: out[id, h] = leaky(dst[i, h] + src[j, h]) for every kept edge (j -> i), 0 for a
// dropped one; leaky(v) = v > 0 ? v : negative_slope * v, and a missing operand is zero.
// edge_sum: out[i, h] = sum over the kept edges of target i of values[id, h].
// Values per edge are acc_t<T> [nnz, H] by edge id. Sums are taken in stored order: deterministic,
// independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct EdgeScoresArgs {
  CsrArg csr;                     // [M, K] pattern
  DType dtype = DType::kFloat32;  // A: fp32 or fp64
  int64_t heads = 0;              // H
  const void* dst = nullptr;      // A [M, H] contiguous, or null for 0
  const void* src = nullptr;      // A [K, H] contiguous, or null for 0
  const uint8_t* bits = nullptr;  // packed bits by edge id, or null to keep every edge
  double negative_slope = 1.0;    // 1: the sum itself
  void* out = nullptr;            // A [nnz, H] by edge id, every element is written
};

struct EdgeSumArgs {
  CsrArg csr;
  DType dtype = DType::kFloat32;  // A: fp32 or fp64
  int64_t heads = 0;
  const void* values = nullptr;   // A [nnz, H] by edge id
  const uint8_t* bits = nullptr;  // as above
  void* out = nullptr;            // A [M, H] contiguous, every element is written
};

// Compute rows [row_begin, row_end) on the calling thread.
void edge_scores_cpu(const EdgeScoresArgs& args, int64_t row_begin, int64_t row_end);
void edge_sum_cpu(const EdgeSumArgs& args, int64_t row_begin, int64_t row_end);

// Bytes of device memory that operators which sum along rows need beside their arguments; zero for
// small graphs.
int64_t edge_rows_workspace(const CsrArg& csr, DType dtype, int64_t heads);

// Enqueue all rows on `stream`; pointers are device pointers. `workspace` is 16-byte aligned and
// may be null: without one hub rows are left whole. Neither allocate nor synchronise.
Status edge_scores_cuda(const EdgeScoresArgs& args, Stream stream);
Status edge_sum_cuda(const EdgeSumArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

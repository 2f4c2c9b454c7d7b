// Graph attention (Velickovic et al., arXiv 1710.10903), fused: per target i and head h
//
//   s_e = leaky(s_dst[i, h] + s_src[j, h] + edge_score[id, h]) over the kept edges e = (j -> i)
//   a_e = exp(s_e - m) / sum of exp(s - m), m = max s        y[i, h] = sum of a_e k_e x[j, h]
//
// with k_e = keep_e * 65536 / threshold the attention dropout of element id * H + h. Scores and
// weights exist only for a block of edges at a time. A target without kept edges gets zero.
//
// The derivative needs m and 1 / sum per (i, h), and the part of y that comes from edges with a
// positive sum: with delta = dot(g_i, y_i), and as the a_e sum to one,
//   ds_dst = sum of a_e (k_e dot(g_i, x_j) - delta) leaky'(.)
//          = (1 - slope) (dot(g_i, positive_i) - delta * weight of the positive edges),
// so one pass over the sources, which gathers g_i once, gives all the others.
// delta is taken from y as it is stored: 16-bit storage rounds it. Sums are taken in a fixed order:
// deterministic, independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/attention.h"
#include "sgnn/status.h"

namespace sgnn {

// What forward and backward share.
struct GatInputs : AttentionInputs {
  const void* s_src = nullptr;       // A [K, H] contiguous
  const void* edge_score = nullptr;  // A [nnz, H] by edge id, or null for 0
};

struct GatArgs : GatInputs {
  const void* s_dst = nullptr;      // A [M, H] contiguous
  void* y = nullptr;                // T [M, H, D], every element is written
  void* row_max = nullptr;          // A [M, H]: m, 0 without kept edges
  void* inv_sum = nullptr;          // A [M, H]: 1 / sum, 0 without kept edges
  void* positive = nullptr;         // T [M, H, D] or null: the part of y from positive sums
  void* positive_weight = nullptr;  // A [M, H]: sum of a_e over them; null with `positive`
};

// The first half of the backward. The second needs neither y nor `positive`: whoever calls can let
// go of them between the two.
struct GatTargetsArgs {
  DType dtype = DType::kFloat32;  // T
  int64_t targets = 0;            // M
  int64_t heads = 0;              // H
  int64_t width = 0;              // D, of one head
  double negative_slope = 0.2;
  const void* grad = nullptr;   // T [M, H, D] contiguous
  const void* s_dst = nullptr;  // A [M, H] contiguous
  const void* y = nullptr;      // the forward's results
  const void* row_max = nullptr;
  const void* inv_sum = nullptr;
  const void* positive = nullptr;  // null: grad_dst is zero, as it is for a slope of 1
  const void* positive_weight = nullptr;
  void* target_stats = nullptr;  // A [M, 4, H]: s_dst, m, 1 / sum, delta
  void* grad_dst = nullptr;      // A [M, H]
};

// The second half; csr is the transpose.
struct GatGradArgs : GatInputs {
  const void* grad = nullptr;          // T [M, H, D] contiguous
  const void* target_stats = nullptr;  // of the first half
  void* grad_x = nullptr;              // T [K, H, D], every element is written
  void* grad_src = nullptr;            // A [K, H]
  void* grad_score = nullptr;          // A [nnz, H] by edge id, 0 for a dropped edge; or null
};

// Rows [row_begin, row_end) on the calling thread: targets of the forward, targets of the backward,
// sources of the backward.
void gat_cpu(const GatArgs& args, int64_t row_begin, int64_t row_end);
void gat_grad_targets_cpu(const GatTargetsArgs& args, int64_t row_begin, int64_t row_end);
void gat_grad_cpu(const GatGradArgs& args, int64_t row_begin, int64_t row_end);

// Bytes of device memory that the launchers need beside their arguments; zero for small graphs.
int64_t gat_workspace(const GatArgs& args);
int64_t gat_grad_workspace(const GatGradArgs& args);

// Enqueue all rows on `stream`. Pointers are device pointers, `workspace` is 16-byte aligned and
// may be null when its size is zero; without one hub rows are left whole. Neither allocates nor
// synchronises.
Status gat_cuda(const GatArgs& args, void* workspace, Stream stream);
Status gat_grad_targets_cuda(const GatTargetsArgs& args, Stream stream);
Status gat_grad_cuda(const GatGradArgs& args, void* workspace, Stream stream);

}  // namespace sgnn

// Graph attention with scores of both ends together (Brody et al., arXiv 2105.14491, equation 7),
// fused: per target i and head h, over the kept edges e = (j -> i),
//
//   s_e = sum over d of att[h, d] * leaky(x_dst[i, h, d] + x[j, h, d])
//   a_e = exp(s_e - m) / sum of exp(s - m), m = max s        y[i, h] = sum of a_e k_e x[j, h]
//
// with k_e = keep_e * 65536 / threshold the attention dropout of element id * H + h. Scores and
// weights exist only for a block of edges at a time. A target without kept edges gets zero.
//
// The derivative takes scores and weights again from m and 1 / sum per (i, h): once along the
// targets, for x_dst and att, and once along the sources, for x. With delta = dot(g_i, y_i),
//   ds_e = a_e (k_e dot(g_i, x_j) - delta).
// delta is taken from y as it is stored: 16-bit storage rounds it. Sums are taken in a fixed order:
// deterministic, independent of the thread count.
#pragma once

#include "sgnn/attention.h"
#include "sgnn/status.h"

namespace sgnn {

// What forward and backward share. A stands for acc_t<T>.
struct Gatv2Inputs : AttentionInputs {
  const void* x_dst = nullptr;  // T [M, H, D] contiguous
  const void* att = nullptr;    // A [H, D] contiguous
};

struct Gatv2Args : Gatv2Inputs {
  void* y = nullptr;        // T [M, H, D], every element is written
  void* row_max = nullptr;  // A [M, H]: m, 0 without kept edges
  void* inv_sum = nullptr;  // A [M, H]: 1 / sum, 0 without kept edges
};

struct Gatv2GradArgs : Gatv2Inputs {
  const void* grad = nullptr;  // T [M, H, D] contiguous
  const void* y = nullptr;     // the forward's results
  const void* row_max = nullptr;
  const void* inv_sum = nullptr;
  void* target_stats = nullptr;  // A [M, 3, H] scratch: m, 1 / sum, delta
  void* grad_x = nullptr;        // T [K, H, D], every element is written
  void* grad_dst = nullptr;      // T [M, H, D], every element is written
};

// Rows [row_begin, row_end) on the calling thread: targets of the forward; targets of the backward,
// which gives target_stats, grad_dst and the share of these rows in the gradient of att (A [H, D]);
// then, all targets done, its sources.
void gatv2_cpu(const Gatv2Args& args, int64_t row_begin, int64_t row_end);
void gatv2_grad_targets_cpu(const Gatv2GradArgs& args, int64_t row_begin, int64_t row_end,
                            void* grad_att);
void gatv2_grad_sources_cpu(const Gatv2GradArgs& args, int64_t row_begin, int64_t row_end);

// Bytes of device memory that the launchers need beside their arguments; `args` of the backward has
// the targets as rows.
int64_t gatv2_workspace(const Gatv2Args& args);
int64_t gatv2_grad_workspace(const Gatv2GradArgs& args);

// Enqueue all rows on `stream`. The backward's args have the targets as rows, `by_source` is the
// transpose; grad_att is A [H, D]. Pointers are device pointers, `workspace` is 16-byte aligned and
// may be null when its size is zero; without one the forward leaves hub rows whole. Neither
// allocates nor synchronises.
Status gatv2_cuda(const Gatv2Args& args, void* workspace, Stream stream);
Status gatv2_grad_cuda(const Gatv2GradArgs& args, const CsrArg& by_source, void* grad_att,
                       void* workspace, Stream stream);

}  // namespace sgnn

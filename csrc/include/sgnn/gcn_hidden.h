// The hidden layer of a two-layer GCN over sparse features, never written in full:
//
//   z = relu(A (X W1) + bias) W2^T                                                          [N, O]
//
// The hidden units are cut into panels. A panel of W1 is small enough for the L2 cache, a panel of
// X W1 is the only wide intermediate, and the aggregated rows meet W2 while they are in the L1
// cache. Panels are independent: a core that computes whole panels exchanges nothing with the
// others until their shares of z are added, in panel order. Inference only. Accumulates in
// acc_t<T>; deterministic, independent of the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/types.h"

namespace sgnn {

struct GcnHiddenArgs {
  CsrArg x;                           // [M, K] pattern of the features, no edge ids
  const void* x_value = nullptr;      // acc_t<T> [nnz of x], or null for 1
  const void* x_row_scale = nullptr;  // acc_t<T> [M], or null for 1
  CsrArg a;                           // [N, M] pattern of the graph, no edge ids
  const void* a_value = nullptr;      // acc_t<T> [nnz of a], or null for 1
  DType dtype = DType::kFloat32;      // T
  int64_t panel = 0;                  // hidden units per panel
  int64_t num_panels = 0;             // P
  int64_t num_outputs = 0;            // O
  const void* w1 = nullptr;           // T [P, K, panel]
  const void* bias = nullptr;         // acc_t<T> [P * panel], or null for 0
  const void* w2 = nullptr;           // T [O, P * panel]
  void* shares = nullptr;             // acc_t<T> [P, N, O], workspace: every panel's share of z
  void* z = nullptr;                  // T [N, O]
};

// Rows [row_begin, row_end) of X W1 for one panel, into `hidden`: T [M, panel].
void gcn_hidden_transform_cpu(const GcnHiddenArgs& args, int64_t panel, void* hidden,
                              int64_t row_begin, int64_t row_end);

// Rows [row_begin, row_end) of one panel's share. Needs all rows of that panel's `hidden`.
void gcn_hidden_project_cpu(const GcnHiddenArgs& args, int64_t panel, const void* hidden,
                            int64_t row_begin, int64_t row_end);

// Adds the shares of all panels into rows [row_begin, row_end) of z.
void gcn_hidden_sum_cpu(const GcnHiddenArgs& args, int64_t row_begin, int64_t row_end);

}  // namespace sgnn

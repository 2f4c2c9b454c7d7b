// What the operators that aggregate have in common: features, graph, edge values, scales and bias.
#pragma once

#include "checks.h"
#include "sgnn/spmm.h"

namespace sgnn::binding {

// The arguments of a call, and the tensors that they point into.
struct SpmmCall {
  Tensor x;
  Tensor y;
  OptionalTensor residual;
  SpmmArgs args;
};

// All but what is said about y: its memory, its type, how sums are finished.
SpmmCall spmm_call(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                   const Tensor& t_rowptr, const Tensor& x, const OptionalTensor& weight,
                   const OptionalTensor& mask, const OptionalTensor& bits,
                   const OptionalTensor& row_scale, const OptionalTensor& col_scale,
                   const OptionalTensor& bias);

}  // namespace sgnn::binding

#include "attention_args.h"

#include <torch/csrc/stable/ops.h>

namespace sgnn::binding {

void check_heads(const Tensor& tensor, int64_t rows, int64_t heads, int64_t width, ScalarType type,
                 const Tensor& reference, const char* name) {
  const bool fits = tensor.dim() == 3 && tensor.size(0) == rows && tensor.size(1) == heads &&
                    tensor.size(2) == width;
  SGNN_CHECK(fits, std::string(name) + " must have shape [" + std::to_string(rows) + ", " +
                       std::to_string(heads) + ", " + std::to_string(width) + "], got " +
                       shape_text(tensor) + ".");
  check_dtype(tensor, type, name);
  check_device(tensor, reference, name);
  SGNN_CHECK(tensor.is_contiguous(),
             std::string(name) + " must be contiguous, got a strided view.");
}

Tensor acc_empty(const Tensor& like, DType dtype, int64_t rows, int64_t columns) {
  return torch::stable::new_empty(like, {rows, columns}, acc_scalar_type(dtype));
}

void fill_attention_inputs(AttentionInputs& inputs, int64_t sources, int64_t edges, const Tensor& x,
                           const OptionalTensor& bits, double negative_slope, double dropout,
                           const OptionalTensor& seed, const Tensor& reference) {
  check_dim(x, 3, "x");
  inputs.dtype = float_type(x, "x");
  inputs.heads = x.size(1);
  inputs.width = x.size(2);
  check_heads(x, sources, inputs.heads, inputs.width, x.scalar_type(), reference, "x");
  inputs.x = x.const_data_ptr();
  inputs.bits = optional_bits(bits, edges, reference);
  inputs.negative_slope = negative_slope;
  inputs.dropout_threshold = checked_dropout_threshold(dropout);
  if (inputs.dropout_threshold != kKeepAll) inputs.seed = checked_seed(seed, reference);
}

void fill_gat_inputs(GatInputs& inputs, int64_t sources, int64_t edges, const Tensor& x,
                     const Tensor& s_src, const OptionalTensor& edge_score,
                     const OptionalTensor& bits, double negative_slope, double dropout,
                     const OptionalTensor& seed, const Tensor& reference) {
  fill_attention_inputs(inputs, sources, edges, x, bits, negative_slope, dropout, seed, reference);
  check_matrix(s_src, sources, inputs.heads, inputs.dtype, reference, "s_src");
  inputs.s_src = s_src.const_data_ptr();
  inputs.edge_score =
      optional_matrix(edge_score, edges, inputs.heads, inputs.dtype, reference, "edge_score");
}

}  // namespace sgnn::binding

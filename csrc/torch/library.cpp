// Every schema of the library. A CSR graph appears as six tensors: rowptr, col and edge_id of the
// rows (targets), then the same of its transpose, which the derivatives need.
#include <torch/csrc/stable/library.h>

#include "cpu/isa.h"
#include "cuda_stream.h"

STABLE_TORCH_LIBRARY(sparsegnn, m) {
  // Aggregation
  m.def(
      "spmm(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor? weight, Tensor? mask, Tensor? bits, Tensor? row_scale, "
      "Tensor? col_scale, Tensor? bias, bool mean, bool relu, Tensor? residual=None, "
      "float dropout=0.0, Tensor? seed=None, ScalarType? out_dtype=None) -> Tensor");
  m.def("dropout(Tensor x, float p, Tensor? seed, Tensor? bias=None, bool relu=False) -> Tensor");
  m.def("dropout_grad(Tensor grad, Tensor y, float p) -> Tensor");
  m.def("transpose(Tensor x) -> Tensor");
  m.def(
      "hard_concrete(Tensor logits, Tensor? seed, float beta, float gamma, float zeta) -> Tensor");
  m.def(
      "hard_concrete_grad(Tensor grad, Tensor logits, Tensor? seed, float beta, float gamma, "
      "float zeta) -> Tensor");
  m.def(
      "sddmm(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor a, Tensor b, Tensor? coef, Tensor? bits, Tensor? row_scale, "
      "Tensor? col_scale) -> Tensor");
  m.def(
      "spmm_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor grad, Tensor x, Tensor? weight, Tensor? mask, Tensor? bits, "
      "Tensor? row_scale, Tensor? col_scale) -> (Tensor, Tensor)");
  m.def(
      "spmm_extreme(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor? weight, Tensor? mask, Tensor? bits, bool smallest, "
      "bool with_arg) -> (Tensor, Tensor)");
  m.def(
      "spmm_extreme_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor "
      "t_col, "
      "Tensor? t_edge_id, Tensor grad, Tensor arg, Tensor x, Tensor? weight, Tensor? mask) -> "
      "(Tensor, Tensor)");

  // Attention
  m.def(
      "edge_scores(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor? dst, Tensor? src, Tensor? bits, float negative_slope) -> Tensor");
  m.def(
      "edge_sum(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor values, Tensor? bits) -> Tensor");
  m.def(
      "edge_softmax(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor scores, Tensor? bits) -> Tensor");
  m.def(
      "edge_softmax_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, "
      "Tensor t_col, Tensor? t_edge_id, Tensor softmax, Tensor grad, Tensor? bits) -> Tensor");
  m.def(
      "gat(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor s_dst, Tensor s_src, Tensor? edge_score, Tensor? bits, "
      "float negative_slope, float dropout, Tensor? seed, bool keep_positive) -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "gat_grad_targets(Tensor grad, Tensor s_dst, Tensor y, Tensor row_max, Tensor inv_sum, "
      "Tensor positive, Tensor positive_weight, float negative_slope) -> (Tensor, Tensor)");
  m.def(
      "gat_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor grad, Tensor stats, Tensor x, Tensor s_src, Tensor? edge_score, "
      "Tensor? bits, float negative_slope, float dropout, Tensor? seed, bool score_grad) -> "
      "(Tensor, Tensor, Tensor)");
  m.def(
      "gatv2(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor x_dst, Tensor att, Tensor? bits, float negative_slope, "
      "float dropout, Tensor? seed) -> (Tensor, Tensor, Tensor)");
  m.def(
      "gatv2_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor grad, Tensor x, Tensor x_dst, Tensor att, Tensor? bits, Tensor y, "
      "Tensor row_max, Tensor inv_sum, float negative_slope, float dropout, Tensor? seed) -> "
      "(Tensor, Tensor, Tensor)");

  // Softmax aggregation
  m.def(
      "softmax_aggregate(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, "
      "Tensor t_col, Tensor? t_edge_id, Tensor x, Tensor t, Tensor? bits, bool relu, float eps, "
      "bool with_log_sum) -> (Tensor, Tensor)");
  m.def(
      "softmax_aggregate_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, "
      "Tensor t_col, Tensor? t_edge_id, Tensor grad, Tensor x, Tensor t, Tensor? bits, Tensor y, "
      "Tensor log_sum, bool relu, float eps, bool with_dt) -> (Tensor, Tensor)");

  // Sparse rows and sparse products
  m.def(
      "spmm_rows(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor? t_rowptr, Tensor? t_col, "
      "Tensor? t_edge_id, Tensor? x_rowptr, Tensor ids, Tensor values, int num_cols, "
      "Tensor? weight, Tensor? bits, Tensor? row_scale, Tensor? col_scale) -> Tensor");
  m.def(
      "spmm_rows_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor? t_rowptr, "
      "Tensor? t_col, Tensor? t_edge_id, Tensor? x_rowptr, Tensor ids, Tensor values, Tensor g, "
      "Tensor? weight, Tensor? bits, Tensor? row_scale, Tensor? col_scale, bool need_values, "
      "bool need_edges) -> (Tensor, Tensor)");
  m.def(
      "spgemm_sizes(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col, int num_cols) -> "
      "Tensor");
  m.def(
      "spgemm_columns(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col, "
      "Tensor rowptr, Tensor(a!) col, int num_cols) -> ()");
  m.def(
      "spgemm_values(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, "
      "Tensor b_col, Tensor b_values, Tensor c_rowptr, Tensor c_col, int num_cols) -> Tensor");
  m.def(
      "spgemm_grad(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, "
      "Tensor b_col, Tensor b_values, Tensor c_rowptr, Tensor c_col, Tensor? t_rowptr, "
      "Tensor? t_col, Tensor? t_edge_id, Tensor g, int num_cols, bool need_a, bool need_b) -> "
      "(Tensor, Tensor)");
  m.def(
      "spmm_topk(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor? weight, Tensor? mask, Tensor? bits, Tensor? row_scale, "
      "Tensor? col_scale, Tensor? bias, bool mean, bool relu, int k, bool magnitude) -> "
      "(Tensor, Tensor)");
  m.def("topk_rows(Tensor x, int k, bool magnitude) -> (Tensor, Tensor)");

  // Linear layers
  m.def(
      "sparse_linear(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor values, Tensor? bias) -> Tensor");
  m.def(
      "sparse_linear_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, "
      "Tensor t_col, Tensor? t_edge_id, Tensor g, Tensor x) -> Tensor");
  m.def(
      "block_linear(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, Tensor t_col, "
      "Tensor? t_edge_id, Tensor x, Tensor values, Tensor? bias, bool transposed) -> Tensor");
  m.def(
      "block_linear_grad(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor t_rowptr, "
      "Tensor t_col, Tensor? t_edge_id, Tensor g, Tensor x, int block) -> Tensor");
  m.def(
      "gcn_hidden(Tensor x_rowptr, Tensor x_col, Tensor? x_value, Tensor? x_row_scale, "
      "Tensor a_rowptr, Tensor a_col, Tensor? a_value, Tensor w1, Tensor? bias, Tensor w2) -> "
      "Tensor");

  // Selection
  m.def("topk_mask(Tensor[] scores, int[] k, bool per_tensor) -> Tensor[]");
  m.def(
      "drop_and_grow_(Tensor(a!) mask, Tensor(b!) weight, Tensor(c!)[] state, Tensor? drop_score, "
      "Tensor grow_score, Tensor? init, int k, bool magnitude, bool regrow) -> ()");

  // Walks
  m.def(
      "random_walk(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor? time, "
      "Tensor? weight_sum, Tensor start, Tensor? start_time, int length, int seed, bool strict, "
      "bool with_edges) -> (Tensor, Tensor)");
  m.def("walk_weights(Tensor rowptr, Tensor col, Tensor? edge_id, Tensor weight) -> Tensor");

  // The library itself
  m.def("cpu_isa() -> int");
  m.def("set_cpu_isa(int isa) -> bool");
  m.def("cuda_compiled() -> bool");
  m.def("stream_symbol_resolved() -> bool");
}

namespace sgnn::binding {
namespace {

int64_t cpu_isa() { return static_cast<int64_t>(cpu::current_isa()); }
bool set_cpu_isa(int64_t isa) { return cpu::set_isa(static_cast<cpu::Isa>(isa)); }
bool has_cuda_kernels() { return cuda_compiled(); }
bool has_stream_symbol() { return stream_symbol_resolved(); }

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CompositeExplicitAutograd, m) {
  m.impl("cpu_isa", TORCH_BOX(&sgnn::binding::cpu_isa));
  m.impl("set_cpu_isa", TORCH_BOX(&sgnn::binding::set_cpu_isa));
  m.impl("cuda_compiled", TORCH_BOX(&sgnn::binding::has_cuda_kernels));
  m.impl("stream_symbol_resolved", TORCH_BOX(&sgnn::binding::has_stream_symbol));
}

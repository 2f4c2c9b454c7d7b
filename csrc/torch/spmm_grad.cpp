#include "sgnn/spmm_grad.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

struct SpmmGradCall {
  Tensor g;
  Tensor x;
  Tensor dx;
  Tensor d_edge;
  SpmmGradArgs args;
};

// `rowptr`, `col` and `edge_id` are those of the transpose: one row per source.
SpmmGradCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                     const Tensor& target_rowptr, const Tensor& g, const Tensor& x,
                     const OptionalTensor& weight, const OptionalTensor& mask,
                     const OptionalTensor& bits, const OptionalTensor& row_scale,
                     const OptionalTensor& col_scale) {
  const int64_t targets = rows_of(target_rowptr, "rowptr");
  check_dim(g, 2, "grad");
  check_dim(x, 2, "x");
  check_device(g, rowptr, "grad");
  check_device(x, rowptr, "x");
  check_dtype(g, x.scalar_type(), "grad");
  SpmmGradCall call{with_contiguous_rows(g), with_contiguous_rows(x), x, x, {}};
  SpmmGradArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, targets);
  args.dtype = float_type(x, "x");
  args.width = x.size(1);
  SGNN_CHECK(x.size(0) == args.csr.num_rows, "x must have one row per source node, " +
                                                 std::to_string(args.csr.num_rows) +
                                                 ", got shape " + shape_text(x) + ".");
  SGNN_CHECK(g.size(0) == targets && g.size(1) == args.width,
             "grad must have shape [" + std::to_string(targets) + ", " +
                 std::to_string(args.width) + "], got " + shape_text(g) + ".");
  args.g = call.g.const_data_ptr();
  args.g_stride = call.g.stride(0);
  args.x = call.x.const_data_ptr();
  args.x_stride = call.x.stride(0);
  const int64_t edges = args.csr.nnz;
  args.weight = optional_vector(weight, edges, args.dtype, rowptr, "weight");
  args.mask = optional_vector(mask, edges, args.dtype, rowptr, "mask");
  args.bits = optional_bits(bits, edges, rowptr);
  args.target_scale = optional_vector(row_scale, targets, args.dtype, rowptr, "row_scale");
  args.source_scale =
      optional_vector(col_scale, args.csr.num_rows, args.dtype, rowptr, "col_scale");
  call.dx = torch::stable::new_empty(x, {args.csr.num_rows, args.width});
  call.d_edge = torch::stable::new_empty(x, {edges}, acc_scalar_type(args.dtype));
  args.dx = call.dx.mutable_data_ptr();
  args.d_edge = call.d_edge.mutable_data_ptr();
  return call;
}

std::tuple<Tensor, Tensor> spmm_grad_on_cpu(Tensor rowptr, Tensor, OptionalTensor, Tensor t_rowptr,
                                            Tensor t_col, OptionalTensor t_edge_id, Tensor grad,
                                            Tensor x, OptionalTensor weight, OptionalTensor mask,
                                            OptionalTensor bits, OptionalTensor row_scale,
                                            OptionalTensor col_scale) {
  const SpmmGradCall call = prepare(t_rowptr, t_col, t_edge_id, rowptr, grad, x, weight, mask, bits,
                                    row_scale, col_scale);
  advise_huge_pages(call.dx);
  advise_huge_pages(call.d_edge);
  for_each_row_range(call.args.csr, 2 * call.args.width,
                     [&](int64_t begin, int64_t end) { spmm_grad_cpu(call.args, begin, end); });
  return {call.dx, call.d_edge};
}

std::tuple<Tensor, Tensor> spmm_grad_on_cuda(Tensor rowptr, Tensor, OptionalTensor, Tensor t_rowptr,
                                             Tensor t_col, OptionalTensor t_edge_id, Tensor grad,
                                             Tensor x, OptionalTensor weight, OptionalTensor mask,
                                             OptionalTensor bits, OptionalTensor row_scale,
                                             OptionalTensor col_scale) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const SpmmGradCall call = prepare(t_rowptr, t_col, t_edge_id, rowptr, grad, x, weight, mask, bits,
                                    row_scale, col_scale);
  const Tensor workspace = workspace_like(x, spmm_grad_workspace(call.args));
  check_launch(spmm_grad_cuda(call.args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  return {call.dx, call.d_edge};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm_grad", TORCH_BOX(&sgnn::binding::spmm_grad_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spmm_grad", TORCH_BOX(&sgnn::binding::spmm_grad_on_cuda));
}

#include "sgnn/edge_softmax.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "edge_values.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "sgnn/edge_scores.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

template <typename Args>
struct EdgeCall {
  Tensor out;
  Args args;
};

EdgeCall<EdgeScoresArgs> prepare_scores(const Tensor& rowptr, const Tensor& col,
                                        const OptionalTensor& edge_id, const Tensor& t_rowptr,
                                        const OptionalTensor& dst, const OptionalTensor& src,
                                        const OptionalTensor& bits, double negative_slope) {
  SGNN_CHECK(dst.has_value() || src.has_value(),
             "dst must be given where src is not, got neither.");
  const Tensor& some = dst.has_value() ? *dst : *src;
  check_dim(some, 2, dst.has_value() ? "dst" : "src");
  EdgeScoresArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, rows_of(t_rowptr, "t_rowptr"));
  args.dtype = acc_type(some, dst.has_value() ? "dst" : "src");
  args.heads = some.size(1);
  args.negative_slope = negative_slope;
  args.dst = optional_matrix(dst, args.csr.num_rows, args.heads, args.dtype, rowptr, "dst");
  args.src = optional_matrix(src, args.csr.num_cols, args.heads, args.dtype, rowptr, "src");
  args.bits = optional_bits(bits, args.csr.nnz, rowptr);
  EdgeCall<EdgeScoresArgs> call{torch::stable::new_empty(some, {args.csr.nnz, args.heads}), args};
  call.args.out = call.out.mutable_data_ptr();
  return call;
}

// The arguments of the operators on values [E, H] that all take: csr, dtype, heads, bits.
template <typename Args>
Args value_args(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                const Tensor& t_rowptr, const Tensor& values, const OptionalTensor& bits,
                const char* name) {
  Args args;
  args.csr = csr_arg(rowptr, col, edge_id, rows_of(t_rowptr, "t_rowptr"));
  check_dim(values, 2, name);
  args.dtype = acc_type(values, name);
  args.heads = values.size(1);
  check_matrix(values, args.csr.nnz, args.heads, args.dtype, rowptr, name);
  args.bits = optional_bits(bits, args.csr.nnz, rowptr);
  return args;
}

EdgeCall<EdgeSumArgs> prepare_sum(const Tensor& rowptr, const Tensor& col,
                                  const OptionalTensor& edge_id, const Tensor& t_rowptr,
                                  const Tensor& values, const OptionalTensor& bits) {
  auto args = value_args<EdgeSumArgs>(rowptr, col, edge_id, t_rowptr, values, bits, "values");
  args.values = values.const_data_ptr();
  Tensor out = torch::stable::new_empty(values, {args.csr.num_rows, args.heads});
  args.out = out.mutable_data_ptr();
  return {out, args};
}

EdgeCall<EdgeSoftmaxArgs> prepare_softmax(const Tensor& rowptr, const Tensor& col,
                                          const OptionalTensor& edge_id, const Tensor& t_rowptr,
                                          const Tensor& scores, const OptionalTensor& bits) {
  auto args = value_args<EdgeSoftmaxArgs>(rowptr, col, edge_id, t_rowptr, scores, bits, "scores");
  args.scores = scores.const_data_ptr();
  Tensor out = torch::stable::new_empty(scores, {args.csr.nnz, args.heads});
  args.out = out.mutable_data_ptr();
  return {out, args};
}

EdgeCall<EdgeSoftmaxGradArgs> prepare_softmax_grad(const Tensor& rowptr, const Tensor& col,
                                                   const OptionalTensor& edge_id,
                                                   const Tensor& t_rowptr, const Tensor& softmax,
                                                   const Tensor& grad, const OptionalTensor& bits) {
  auto args =
      value_args<EdgeSoftmaxGradArgs>(rowptr, col, edge_id, t_rowptr, softmax, bits, "softmax");
  check_matrix(grad, args.csr.nnz, args.heads, args.dtype, rowptr, "grad");
  args.softmax = softmax.const_data_ptr();
  args.grad = grad.const_data_ptr();
  Tensor out = torch::stable::new_empty(softmax, {args.csr.nnz, args.heads});
  args.out = out.mutable_data_ptr();
  return {out, args};
}

// Runs a loop body over all rows on the CPU.
template <typename Args>
Tensor on_cpu(const EdgeCall<Args>& call, void (*rows)(const Args&, int64_t, int64_t)) {
  advise_huge_pages(call.out);
  for_each_row_range(call.args.csr, call.args.heads,
                     [&](int64_t begin, int64_t end) { rows(call.args, begin, end); });
  return call.out;
}

// Runs an operator along rows on the GPU.
template <typename Args>
Tensor on_cuda(const EdgeCall<Args>& call, Status (*launch)(const Args&, void*, Stream)) {
  const Args& args = call.args;
  const Tensor workspace =
      workspace_like(call.out, edge_rows_workspace(args.csr, args.dtype, args.heads));
  check_launch(launch(args, workspace.mutable_data_ptr(), current_stream(call.out)));
  return call.out;
}

using torch::stable::accelerator::DeviceGuard;

Tensor edge_scores_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                          Tensor, OptionalTensor, OptionalTensor dst, OptionalTensor src,
                          OptionalTensor bits, double negative_slope) {
  return on_cpu(prepare_scores(rowptr, col, edge_id, t_rowptr, dst, src, bits, negative_slope),
                edge_scores_cpu);
}

Tensor edge_scores_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                           Tensor, OptionalTensor, OptionalTensor dst, OptionalTensor src,
                           OptionalTensor bits, double negative_slope) {
  const DeviceGuard guard(rowptr.get_device_index());
  const auto call = prepare_scores(rowptr, col, edge_id, t_rowptr, dst, src, bits, negative_slope);
  check_launch(edge_scores_cuda(call.args, current_stream(call.out)));
  return call.out;
}

Tensor edge_sum_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                       OptionalTensor, Tensor values, OptionalTensor bits) {
  return on_cpu(prepare_sum(rowptr, col, edge_id, t_rowptr, values, bits), edge_sum_cpu);
}

Tensor edge_sum_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                        OptionalTensor, Tensor values, OptionalTensor bits) {
  const DeviceGuard guard(rowptr.get_device_index());
  return on_cuda(prepare_sum(rowptr, col, edge_id, t_rowptr, values, bits), edge_sum_cuda);
}

Tensor edge_softmax_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                           Tensor, OptionalTensor, Tensor scores, OptionalTensor bits) {
  return on_cpu(prepare_softmax(rowptr, col, edge_id, t_rowptr, scores, bits), edge_softmax_cpu);
}

Tensor edge_softmax_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                            Tensor, OptionalTensor, Tensor scores, OptionalTensor bits) {
  const DeviceGuard guard(rowptr.get_device_index());
  return on_cuda(prepare_softmax(rowptr, col, edge_id, t_rowptr, scores, bits), edge_softmax_cuda);
}

Tensor edge_softmax_grad_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                                Tensor, OptionalTensor, Tensor softmax, Tensor grad,
                                OptionalTensor bits) {
  return on_cpu(prepare_softmax_grad(rowptr, col, edge_id, t_rowptr, softmax, grad, bits),
                edge_softmax_grad_cpu);
}

Tensor edge_softmax_grad_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                                 Tensor, OptionalTensor, Tensor softmax, Tensor grad,
                                 OptionalTensor bits) {
  const DeviceGuard guard(rowptr.get_device_index());
  return on_cuda(prepare_softmax_grad(rowptr, col, edge_id, t_rowptr, softmax, grad, bits),
                 edge_softmax_grad_cuda);
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("edge_scores", TORCH_BOX(&sgnn::binding::edge_scores_on_cpu));
  m.impl("edge_sum", TORCH_BOX(&sgnn::binding::edge_sum_on_cpu));
  m.impl("edge_softmax", TORCH_BOX(&sgnn::binding::edge_softmax_on_cpu));
  m.impl("edge_softmax_grad", TORCH_BOX(&sgnn::binding::edge_softmax_grad_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("edge_scores", TORCH_BOX(&sgnn::binding::edge_scores_on_cuda));
  m.impl("edge_sum", TORCH_BOX(&sgnn::binding::edge_sum_on_cuda));
  m.impl("edge_softmax", TORCH_BOX(&sgnn::binding::edge_softmax_on_cuda));
  m.impl("edge_softmax_grad", TORCH_BOX(&sgnn::binding::edge_softmax_grad_on_cuda));
}

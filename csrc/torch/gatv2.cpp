#include "sgnn/gatv2.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <optional>
#include <tuple>

#include "attention_args.h"
#include "cuda_stream.h"
#include "huge_pages.h"
#include "parallel.h"
#include "shares.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

using Three = std::tuple<Tensor, Tensor, Tensor>;

void fill_inputs(Gatv2Inputs& inputs, int64_t targets, int64_t sources, int64_t edges,
                 const Tensor& x, const Tensor& x_dst, const Tensor& att,
                 const OptionalTensor& bits, double negative_slope, double dropout,
                 const OptionalTensor& seed, const Tensor& reference) {
  fill_attention_inputs(inputs, sources, edges, x, bits, negative_slope, dropout, seed, reference);
  check_heads(x_dst, targets, inputs.heads, inputs.width, x.scalar_type(), reference, "x_dst");
  check_matrix(att, inputs.heads, inputs.width, inputs.dtype, reference, "att");
  inputs.x_dst = x_dst.const_data_ptr();
  inputs.att = att.const_data_ptr();
}

void run_on_cpu(const Gatv2Args& args, const Tensor& y) {
  advise_huge_pages(y);
  for_each_row_range(args.csr, args.heads * args.width,
                     [&](int64_t begin, int64_t end) { gatv2_cpu(args, begin, end); });
}

void run_on_cuda(const Gatv2Args& args, const Tensor& x) {
  const Tensor workspace = workspace_like(x, gatv2_workspace(args));
  check_launch(gatv2_cuda(args, workspace.mutable_data_ptr(), current_stream(x)));
}

template <bool kCuda>
Three gatv2(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
            OptionalTensor, Tensor x, Tensor x_dst, Tensor att, OptionalTensor bits,
            double negative_slope, double dropout, OptionalTensor seed) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  Gatv2Args args;
  const int64_t sources = rows_of(t_rowptr, "t_rowptr");
  args.csr = csr_arg(rowptr, col, edge_id, sources);
  const int64_t targets = args.csr.num_rows;
  fill_inputs(args, targets, sources, args.csr.nnz, x, x_dst, att, bits, negative_slope, dropout,
              seed, rowptr);
  const Tensor y = torch::stable::new_empty(x, {targets, args.heads, args.width});
  const Tensor row_max = acc_empty(x, args.dtype, targets, args.heads);
  const Tensor inv_sum = acc_empty(x, args.dtype, targets, args.heads);
  args.y = y.mutable_data_ptr();
  args.row_max = row_max.mutable_data_ptr();
  args.inv_sum = inv_sum.mutable_data_ptr();
  if constexpr (kCuda) {
    run_on_cuda(args, x);
  } else {
    run_on_cpu(args, y);
  }
  return {y, row_max, inv_sum};
}

// All targets, then all sources; args.csr is by target. grad_att is [H, D].
void run_on_cpu(Gatv2GradArgs args, const CsrArg& by_source, const Tensor& grad_att) {
  const int64_t columns = args.heads * args.width;
  const CsrArg by_target = args.csr;
  const int64_t shares = shares_of(by_target);
  const Tensor att_shares = acc_empty(grad_att, args.dtype, shares, columns);
  char* part = static_cast<char*>(att_shares.mutable_data_ptr());
  for_each_share(by_target, shares, columns, [&](int64_t share, int64_t begin, int64_t end) {
    gatv2_grad_targets_cpu(args, begin, end, part + share * columns * acc_size(args.dtype));
  });
  sum_shares(args.dtype, part, shares, columns, grad_att.mutable_data_ptr());
  args.csr = by_source;
  for_each_row_range(by_source, columns,
                     [&](int64_t begin, int64_t end) { gatv2_grad_sources_cpu(args, begin, end); });
}

void run_on_cuda(const Gatv2GradArgs& args, const CsrArg& by_source, const Tensor& grad_att) {
  const Tensor workspace = workspace_like(grad_att, gatv2_grad_workspace(args));
  check_launch(gatv2_grad_cuda(args, by_source, grad_att.mutable_data_ptr(),
                               workspace.mutable_data_ptr(), current_stream(grad_att)));
}

template <bool kCuda>
Three gatv2_grad(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor t_col,
                 OptionalTensor t_edge_id, Tensor grad, Tensor x, Tensor x_dst, Tensor att,
                 OptionalTensor bits, Tensor y, Tensor row_max, Tensor inv_sum,
                 double negative_slope, double dropout, OptionalTensor seed) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  Gatv2GradArgs args;
  const int64_t targets = rows_of(rowptr, "rowptr"), sources = rows_of(t_rowptr, "t_rowptr");
  args.csr = csr_arg(rowptr, col, edge_id, sources);
  const CsrArg by_source = csr_arg(t_rowptr, t_col, t_edge_id, targets);
  SGNN_CHECK(args.csr.nnz == by_source.nnz, "t_col must have shape [" +
                                                std::to_string(args.csr.nnz) + "], got " +
                                                shape_text(t_col) + ".");
  fill_inputs(args, targets, sources, args.csr.nnz, x, x_dst, att, bits, negative_slope, dropout,
              seed, rowptr);
  const ScalarType type = x.scalar_type();
  check_heads(grad, targets, args.heads, args.width, type, rowptr, "grad");
  check_heads(y, targets, args.heads, args.width, type, rowptr, "y");
  check_matrix(row_max, targets, args.heads, args.dtype, rowptr, "row_max");
  check_matrix(inv_sum, targets, args.heads, args.dtype, rowptr, "inv_sum");
  args.grad = grad.const_data_ptr();
  args.y = y.const_data_ptr();
  args.row_max = row_max.const_data_ptr();
  args.inv_sum = inv_sum.const_data_ptr();
  const Tensor stats = acc_empty(x, args.dtype, targets, 3 * args.heads);
  const Tensor grad_att = acc_empty(x, args.dtype, args.heads, args.width);
  const Tensor grad_x = torch::stable::new_empty(x, {sources, args.heads, args.width});
  const Tensor grad_dst = torch::stable::new_empty(x, {targets, args.heads, args.width});
  args.target_stats = stats.mutable_data_ptr();
  args.grad_x = grad_x.mutable_data_ptr();
  args.grad_dst = grad_dst.mutable_data_ptr();
  if constexpr (kCuda) {
    run_on_cuda(args, by_source, grad_att);
  } else {
    advise_huge_pages(grad_x);
    advise_huge_pages(grad_dst);
    run_on_cpu(args, by_source, grad_att);
  }
  return {grad_x, grad_dst, grad_att};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("gatv2", TORCH_BOX(&sgnn::binding::gatv2<false>));
  m.impl("gatv2_grad", TORCH_BOX(&sgnn::binding::gatv2_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("gatv2", TORCH_BOX(&sgnn::binding::gatv2<true>));
  m.impl("gatv2_grad", TORCH_BOX(&sgnn::binding::gatv2_grad<true>));
}

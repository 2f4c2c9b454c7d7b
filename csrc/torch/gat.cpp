#include "sgnn/gat.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <optional>
#include <tuple>

#include "attention_args.h"
#include "cuda_stream.h"
#include "huge_pages.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

using Forward = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;
using Targets = std::tuple<Tensor, Tensor>;
using Backward = std::tuple<Tensor, Tensor, Tensor>;

void run_on_cpu(const GatArgs& args) {
  for_each_row_range(args.csr, args.heads * args.width,
                     [&](int64_t begin, int64_t end) { gat_cpu(args, begin, end); });
}

void run_on_cpu(const GatGradArgs& args) {
  for_each_row_range(args.csr, args.heads * args.width,
                     [&](int64_t begin, int64_t end) { gat_grad_cpu(args, begin, end); });
}

void run_on_cuda(const GatArgs& args, const Tensor& x) {
  const Tensor workspace = workspace_like(x, gat_workspace(args));
  check_launch(gat_cuda(args, workspace.mutable_data_ptr(), current_stream(x)));
}

void run_on_cuda(const GatGradArgs& args, const Tensor& x) {
  const Tensor workspace = workspace_like(x, gat_grad_workspace(args));
  check_launch(gat_grad_cuda(args, workspace.mutable_data_ptr(), current_stream(x)));
}

// Runs a call whose large results are `first` and `second`.
template <bool kCuda, typename Args>
void run(const Args& args, const Tensor& x, const Tensor& first, const Tensor& second) {
  if constexpr (kCuda) {
    run_on_cuda(args, x);
  } else {
    advise_huge_pages(first);
    advise_huge_pages(second);
    run_on_cpu(args);
  }
}

template <bool kCuda>
Forward gat(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
            OptionalTensor, Tensor x, Tensor s_dst, Tensor s_src, OptionalTensor edge_score,
            OptionalTensor bits, double negative_slope, double dropout, OptionalTensor seed,
            bool keep_positive) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  GatArgs args;
  const int64_t sources = rows_of(t_rowptr, "t_rowptr");
  args.csr = csr_arg(rowptr, col, edge_id, sources);
  const int64_t targets = args.csr.num_rows;
  fill_gat_inputs(args, sources, args.csr.nnz, x, s_src, edge_score, bits, negative_slope, dropout,
                  seed, rowptr);
  check_matrix(s_dst, targets, args.heads, args.dtype, rowptr, "s_dst");
  args.s_dst = s_dst.const_data_ptr();
  const Tensor y = torch::stable::new_empty(x, {targets, args.heads, args.width});
  const Tensor row_max = acc_empty(x, args.dtype, targets, args.heads);
  const Tensor inv_sum = acc_empty(x, args.dtype, targets, args.heads);
  const int64_t kept = keep_positive ? targets : 0;
  const Tensor positive = torch::stable::new_empty(x, {kept, args.heads, args.width});
  const Tensor positive_weight = acc_empty(x, args.dtype, kept, args.heads);
  args.y = y.mutable_data_ptr();
  args.row_max = row_max.mutable_data_ptr();
  args.inv_sum = inv_sum.mutable_data_ptr();
  if (keep_positive) {
    args.positive = positive.mutable_data_ptr();
    args.positive_weight = positive_weight.mutable_data_ptr();
  }
  run<kCuda>(args, x, y, positive);
  return {y, row_max, inv_sum, positive, positive_weight};
}

void run_on_cpu(const GatTargetsArgs& args) {
  constexpr int64_t kBlock = 64;
  for_each_block(args.targets, kBlock, args.heads * args.width,
                 [&](int64_t begin, int64_t end) { gat_grad_targets_cpu(args, begin, end); });
}

template <bool kCuda>
Targets gat_grad_targets(Tensor grad, Tensor s_dst, Tensor y, Tensor row_max, Tensor inv_sum,
                         Tensor positive, Tensor positive_weight, double negative_slope) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(grad.get_device_index());
  GatTargetsArgs args;
  check_dim(grad, 3, "grad");
  args.dtype = float_type(grad, "grad");
  args.targets = grad.size(0);
  args.heads = grad.size(1);
  args.width = grad.size(2);
  args.negative_slope = negative_slope;
  const auto heads_of = [&](const Tensor& tensor, const char* name) {
    check_heads(tensor, args.targets, args.heads, args.width, grad.scalar_type(), grad, name);
    return tensor.const_data_ptr();
  };
  const auto numbers_of = [&](const Tensor& tensor, const char* name) {
    check_matrix(tensor, args.targets, args.heads, args.dtype, grad, name);
    return tensor.const_data_ptr();
  };
  args.grad = heads_of(grad, "grad");
  args.s_dst = numbers_of(s_dst, "s_dst");
  args.y = heads_of(y, "y");
  args.row_max = numbers_of(row_max, "row_max");
  args.inv_sum = numbers_of(inv_sum, "inv_sum");
  if (positive.numel() > 0) {
    args.positive = heads_of(positive, "positive");
    args.positive_weight = numbers_of(positive_weight, "positive_weight");
  }
  const Tensor stats = acc_empty(grad, args.dtype, args.targets, 4 * args.heads);
  const Tensor grad_dst = acc_empty(grad, args.dtype, args.targets, args.heads);
  args.target_stats = stats.mutable_data_ptr();
  args.grad_dst = grad_dst.mutable_data_ptr();
  if constexpr (kCuda) {
    check_launch(gat_grad_targets_cuda(args, current_stream(grad)));
  } else {
    advise_huge_pages(stats);
    run_on_cpu(args);
  }
  return {stats, grad_dst};
}

template <bool kCuda>
Backward gat_grad(Tensor rowptr, Tensor, OptionalTensor, Tensor t_rowptr, Tensor t_col,
                  OptionalTensor t_edge_id, Tensor grad, Tensor stats, Tensor x, Tensor s_src,
                  OptionalTensor edge_score, OptionalTensor bits, double negative_slope,
                  double dropout, OptionalTensor seed, bool score_grad) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  GatGradArgs args;
  const int64_t targets = rows_of(rowptr, "rowptr");
  args.csr = csr_arg(t_rowptr, t_col, t_edge_id, targets);
  const int64_t sources = args.csr.num_rows, edges = args.csr.nnz;
  fill_gat_inputs(args, sources, edges, x, s_src, edge_score, bits, negative_slope, dropout, seed,
                  rowptr);
  check_heads(grad, targets, args.heads, args.width, x.scalar_type(), rowptr, "grad");
  check_matrix(stats, targets, 4 * args.heads, args.dtype, rowptr, "stats");
  args.grad = grad.const_data_ptr();
  args.target_stats = stats.const_data_ptr();
  const Tensor grad_x = torch::stable::new_empty(x, {sources, args.heads, args.width});
  const Tensor grad_src = acc_empty(x, args.dtype, sources, args.heads);
  const Tensor grad_score = acc_empty(x, args.dtype, score_grad ? edges : 0, args.heads);
  args.grad_x = grad_x.mutable_data_ptr();
  args.grad_src = grad_src.mutable_data_ptr();
  if (score_grad) args.grad_score = grad_score.mutable_data_ptr();
  run<kCuda>(args, x, grad_x, grad_score);
  return {grad_x, grad_src, grad_score};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("gat", TORCH_BOX(&sgnn::binding::gat<false>));
  m.impl("gat_grad_targets", TORCH_BOX(&sgnn::binding::gat_grad_targets<false>));
  m.impl("gat_grad", TORCH_BOX(&sgnn::binding::gat_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("gat", TORCH_BOX(&sgnn::binding::gat<true>));
  m.impl("gat_grad_targets", TORCH_BOX(&sgnn::binding::gat_grad_targets<true>));
  m.impl("gat_grad", TORCH_BOX(&sgnn::binding::gat_grad<true>));
}

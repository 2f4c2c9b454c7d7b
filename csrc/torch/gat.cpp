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
using Backward = std::tuple<Tensor, Tensor, Tensor, Tensor>;

void run_on_cpu(const GatArgs& args) {
  for_each_row_range(args.csr, args.heads * args.width,
                     [&](int64_t begin, int64_t end) { gat_cpu(args, begin, end); });
}

void run_on_cpu(const GatGradArgs& args) {
  constexpr int64_t kBlock = 64;
  const int64_t columns = args.heads * args.width;
  for_each_block(args.csr.num_cols, kBlock, columns,
                 [&](int64_t begin, int64_t end) { gat_grad_targets_cpu(args, begin, end); });
  for_each_row_range(args.csr, columns,
                     [&](int64_t begin, int64_t end) { gat_grad_sources_cpu(args, begin, end); });
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
  fill_gat_inputs(args, targets, sources, args.csr.nnz, x, s_dst, s_src, edge_score, bits,
                  negative_slope, dropout, seed, rowptr);
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

template <bool kCuda>
Backward gat_grad(Tensor rowptr, Tensor, OptionalTensor, Tensor t_rowptr, Tensor t_col,
                  OptionalTensor t_edge_id, Tensor grad, Tensor x, Tensor s_dst, Tensor s_src,
                  OptionalTensor edge_score, OptionalTensor bits, Tensor y, Tensor row_max,
                  Tensor inv_sum, Tensor positive, Tensor positive_weight, double negative_slope,
                  double dropout, OptionalTensor seed, bool score_grad) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  GatGradArgs args;
  const int64_t targets = rows_of(rowptr, "rowptr");
  args.csr = csr_arg(t_rowptr, t_col, t_edge_id, targets);
  const int64_t sources = args.csr.num_rows, edges = args.csr.nnz;
  fill_gat_inputs(args, targets, sources, edges, x, s_dst, s_src, edge_score, bits, negative_slope,
                  dropout, seed, rowptr);
  const ScalarType type = x.scalar_type();
  check_heads(grad, targets, args.heads, args.width, type, rowptr, "grad");
  check_heads(y, targets, args.heads, args.width, type, rowptr, "y");
  check_matrix(row_max, targets, args.heads, args.dtype, rowptr, "row_max");
  check_matrix(inv_sum, targets, args.heads, args.dtype, rowptr, "inv_sum");
  args.grad = grad.const_data_ptr();
  args.y = y.const_data_ptr();
  args.row_max = row_max.const_data_ptr();
  args.inv_sum = inv_sum.const_data_ptr();
  if (positive.numel() > 0) {
    check_heads(positive, targets, args.heads, args.width, type, rowptr, "positive");
    check_matrix(positive_weight, targets, args.heads, args.dtype, rowptr, "positive_weight");
    args.positive = positive.const_data_ptr();
    args.positive_weight = positive_weight.const_data_ptr();
  }
  const Tensor stats = acc_empty(x, args.dtype, targets, 4 * args.heads);
  const Tensor grad_x = torch::stable::new_empty(x, {sources, args.heads, args.width});
  const Tensor grad_dst = acc_empty(x, args.dtype, targets, args.heads);
  const Tensor grad_src = acc_empty(x, args.dtype, sources, args.heads);
  const Tensor grad_score = acc_empty(x, args.dtype, score_grad ? edges : 0, args.heads);
  args.target_stats = stats.mutable_data_ptr();
  args.grad_x = grad_x.mutable_data_ptr();
  args.grad_dst = grad_dst.mutable_data_ptr();
  args.grad_src = grad_src.mutable_data_ptr();
  if (score_grad) args.grad_score = grad_score.mutable_data_ptr();
  run<kCuda>(args, x, grad_x, stats);
  return {grad_x, grad_dst, grad_src, grad_score};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("gat", TORCH_BOX(&sgnn::binding::gat<false>));
  m.impl("gat_grad", TORCH_BOX(&sgnn::binding::gat_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("gat", TORCH_BOX(&sgnn::binding::gat<true>));
  m.impl("gat_grad", TORCH_BOX(&sgnn::binding::gat_grad<true>));
}

#include "sgnn/softmax_aggregate.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "shares.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

using Results = std::tuple<Tensor, Tensor>;

// A matrix of `rows` rows as wide as x and of its dtype.
void check_like_x(const Tensor& tensor, int64_t rows, const Tensor& x, const Tensor& reference,
                  const char* name) {
  SGNN_CHECK(tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == x.size(1),
             std::string(name) + " must have shape [" + std::to_string(rows) + ", " +
                 std::to_string(x.size(1)) + "], got " + shape_text(tensor) + ".");
  check_dtype(tensor, x.scalar_type(), name);
  check_device(tensor, reference, name);
}

// Everything but csr. `rows` is x with contiguous rows.
void fill_inputs(SoftmaxAggregateInputs& inputs, const Tensor& x, const Tensor& rows,
                 const Tensor& t, const OptionalTensor& bits, bool relu, double eps,
                 int64_t sources, int64_t edges, const Tensor& reference) {
  SGNN_CHECK(x.size(0) == sources, "x must have one row per source node, " +
                                       std::to_string(sources) + ", got shape " + shape_text(x) +
                                       ".");
  check_device(x, reference, "x");
  inputs.dtype = float_type(x, "x");
  inputs.width = x.size(1);
  inputs.x = rows.const_data_ptr();
  inputs.x_stride = rows.stride(0);
  check_vector(t, inputs.width, acc_scalar_type(inputs.dtype), reference, "t");
  inputs.t = t.const_data_ptr();
  inputs.bits = optional_bits(bits, edges, reference);
  inputs.relu = relu;
  inputs.eps = eps;
}

template <bool kCuda>
Results softmax_aggregate(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr,
                          Tensor, OptionalTensor, Tensor x, Tensor t, OptionalTensor bits,
                          bool relu, double eps, bool with_log_sum) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  const int64_t sources = rows_of(t_rowptr, "t_rowptr");
  SoftmaxAggregateArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, sources);
  check_dim(x, 2, "x");
  const Tensor rows = with_contiguous_rows(x);
  fill_inputs(args, x, rows, t, bits, relu, eps, sources, args.csr.nnz, rowptr);
  const int64_t targets = args.csr.num_rows;
  const Tensor y = torch::stable::new_empty(x, {targets, args.width});
  const Tensor log_sum = torch::stable::new_empty(x, {with_log_sum ? targets : 0, args.width},
                                                  acc_scalar_type(args.dtype));
  args.y = y.mutable_data_ptr();
  if (with_log_sum) args.log_sum = log_sum.mutable_data_ptr();
  if constexpr (kCuda) {
    const Tensor workspace = workspace_like(x, softmax_aggregate_workspace(args));
    check_launch(
        softmax_aggregate_cuda(args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  } else {
    advise_huge_pages(y);
    advise_huge_pages(log_sum);
    for_each_row_range(args.csr, 4 * args.width, [&](int64_t begin, int64_t end) {
      softmax_aggregate_cpu(args, begin, end);
    });
  }
  return {y, log_sum};
}

void run_on_cpu(const SoftmaxAggregateGradArgs& args, const Tensor& x, const Tensor& dt) {
  const int64_t shares = shares_of(args.csr);
  const Tensor parts =
      torch::stable::new_empty(x, {shares, args.width}, acc_scalar_type(args.dtype));
  char* part = static_cast<char*>(parts.mutable_data_ptr());
  const int64_t bytes = args.width * acc_size(args.dtype);
  for_each_share(args.csr, shares, 8 * args.width, [&](int64_t share, int64_t begin, int64_t end) {
    softmax_aggregate_grad_cpu(args, begin, end, part + share * bytes);
  });
  if (dt.numel() > 0) sum_shares(args.dtype, part, shares, args.width, dt.mutable_data_ptr());
}

// The loops run over the rows of the transpose: one per source.
template <bool kCuda>
Results softmax_aggregate_grad(Tensor t_rowptr, Tensor, OptionalTensor, Tensor rowptr, Tensor col,
                               OptionalTensor edge_id, Tensor grad, Tensor x, Tensor t,
                               OptionalTensor bits, Tensor y, Tensor log_sum, bool relu, double eps,
                               bool with_dt) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  const int64_t targets = rows_of(t_rowptr, "rowptr");
  SoftmaxAggregateGradArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, targets);
  check_dim(x, 2, "x");
  const Tensor rows = with_contiguous_rows(x);
  fill_inputs(args, x, rows, t, bits, relu, eps, args.csr.num_rows, args.csr.nnz, rowptr);
  check_like_x(grad, targets, x, rowptr, "grad");
  check_like_x(y, targets, x, rowptr, "y");
  SGNN_CHECK(log_sum.dim() == 2 && log_sum.size(0) == targets && log_sum.size(1) == args.width,
             "log_sum must have shape [" + std::to_string(targets) + ", " +
                 std::to_string(args.width) + "], got " + shape_text(log_sum) + ".");
  check_dtype(log_sum, acc_scalar_type(args.dtype), "log_sum");
  check_device(log_sum, rowptr, "log_sum");
  const Tensor g = with_contiguous_rows(grad);
  const Tensor results = torch::stable::contiguous(y);
  const Tensor logs = torch::stable::contiguous(log_sum);
  args.grad = g.const_data_ptr();
  args.grad_stride = g.stride(0);
  args.y = results.const_data_ptr();
  args.log_sum = logs.const_data_ptr();
  const Tensor dx = torch::stable::new_empty(x, {args.csr.num_rows, args.width});
  const Tensor dt =
      torch::stable::new_empty(x, {with_dt ? args.width : 0}, acc_scalar_type(args.dtype));
  args.dx = dx.mutable_data_ptr();
  if constexpr (kCuda) {
    const Tensor workspace = workspace_like(x, softmax_aggregate_grad_workspace(args, with_dt));
    check_launch(softmax_aggregate_grad_cuda(args, with_dt ? dt.mutable_data_ptr() : nullptr,
                                             workspace.mutable_data_ptr(), current_stream(rowptr)));
  } else {
    advise_huge_pages(dx);
    run_on_cpu(args, x, dt);
  }
  return {dx, dt};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("softmax_aggregate", TORCH_BOX(&sgnn::binding::softmax_aggregate<false>));
  m.impl("softmax_aggregate_grad", TORCH_BOX(&sgnn::binding::softmax_aggregate_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("softmax_aggregate", TORCH_BOX(&sgnn::binding::softmax_aggregate<true>));
  m.impl("softmax_aggregate_grad", TORCH_BOX(&sgnn::binding::softmax_aggregate_grad<true>));
}

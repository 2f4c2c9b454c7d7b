#include "sgnn/spmm_extreme.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

using Results = std::tuple<Tensor, Tensor>;

void check_features(const Tensor& x, const Tensor& rowptr, int64_t rows, const char* name,
                    const char* nodes) {
  check_dim(x, 2, name);
  check_device(x, rowptr, name);
  SGNN_CHECK(x.size(0) == rows, std::string(name) + " must have one row per " + nodes + " node, " +
                                    std::to_string(rows) + ", got shape " + shape_text(x) + ".");
}

template <bool kCuda>
Results spmm_extreme(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                     OptionalTensor, Tensor x, OptionalTensor weight, OptionalTensor mask,
                     OptionalTensor bits, bool smallest, bool with_arg) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  const int64_t num_cols = rows_of(t_rowptr, "t_rowptr");
  check_features(x, rowptr, num_cols, "x", "source");
  const Tensor rows = with_contiguous_rows(x);
  SpmmExtremeArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, num_cols);
  args.dtype = float_type(x, "x");
  args.width = x.size(1);
  args.x = rows.const_data_ptr();
  args.x_stride = rows.stride(0);
  args.weight = optional_vector(weight, args.csr.nnz, args.dtype, rowptr, "weight");
  args.mask = optional_vector(mask, args.csr.nnz, args.dtype, rowptr, "mask");
  args.bits = optional_bits(bits, args.csr.nnz, rowptr);
  args.smallest = smallest;
  const Tensor y = torch::stable::new_empty(x, {args.csr.num_rows, args.width});
  const Tensor arg = torch::stable::new_empty(x, {with_arg ? args.csr.num_rows : 0, args.width},
                                              rowptr.scalar_type());
  args.y = y.mutable_data_ptr();
  if (with_arg) args.arg = arg.mutable_data_ptr();
  if constexpr (kCuda) {
    const Tensor workspace = workspace_like(x, spmm_extreme_workspace(args));
    check_launch(spmm_extreme_cuda(args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  } else {
    advise_huge_pages(y);
    advise_huge_pages(arg);
    for_each_row_range(args.csr, args.width,
                       [&](int64_t begin, int64_t end) { spmm_extreme_cpu(args, begin, end); });
  }
  return {y, arg};
}

void check_arg(const Tensor& arg, const Tensor& grad, const Tensor& rowptr) {
  SGNN_CHECK(
      arg.dim() == 2 && arg.size(0) == grad.size(0) && arg.size(1) == grad.size(1),
      "arg must have the shape of grad, " + shape_text(grad) + ", got " + shape_text(arg) + ".");
  check_dtype(arg, rowptr.scalar_type(), "arg");
  check_device(arg, rowptr, "arg");
}

// The loops run over the rows of the transpose: one per source.
template <bool kCuda>
Results spmm_extreme_grad(Tensor t_rowptr, Tensor, OptionalTensor, Tensor rowptr, Tensor col,
                          OptionalTensor edge_id, Tensor grad, Tensor arg, Tensor x,
                          OptionalTensor weight, OptionalTensor mask) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  const int64_t targets = rows_of(t_rowptr, "rowptr");
  const int64_t sources = rows_of(rowptr, "t_rowptr");
  check_features(grad, rowptr, targets, "grad", "target");
  check_features(x, rowptr, sources, "x", "source");
  check_dtype(grad, x.scalar_type(), "grad");
  SGNN_CHECK(grad.size(1) == x.size(1), "grad must have the width of x, " +
                                            std::to_string(x.size(1)) + ", got shape " +
                                            shape_text(grad) + ".");
  check_arg(arg, grad, rowptr);
  const Tensor g_rows = with_contiguous_rows(grad);
  const Tensor x_rows = with_contiguous_rows(x);
  const Tensor named = torch::stable::contiguous(arg);
  SpmmExtremeGradArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, targets);
  args.dtype = float_type(x, "x");
  args.width = x.size(1);
  args.g = g_rows.const_data_ptr();
  args.g_stride = g_rows.stride(0);
  args.arg = named.const_data_ptr();
  args.x = x_rows.const_data_ptr();
  args.x_stride = x_rows.stride(0);
  args.weight = optional_vector(weight, args.csr.nnz, args.dtype, rowptr, "weight");
  args.mask = optional_vector(mask, args.csr.nnz, args.dtype, rowptr, "mask");
  const Tensor dx = torch::stable::new_empty(x, {sources, args.width});
  const Tensor d_edge = torch::stable::new_empty(x, {args.csr.nnz}, acc_scalar_type(args.dtype));
  args.dx = dx.mutable_data_ptr();
  args.d_edge = d_edge.mutable_data_ptr();
  if constexpr (kCuda) {
    check_launch(spmm_extreme_grad_cuda(args, current_stream(rowptr)));
  } else {
    advise_huge_pages(dx);
    advise_huge_pages(d_edge);
    for_each_row_range(args.csr, 2 * args.width, [&](int64_t begin, int64_t end) {
      spmm_extreme_grad_cpu(args, begin, end);
    });
  }
  return {dx, d_edge};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm_extreme", TORCH_BOX(&sgnn::binding::spmm_extreme<false>));
  m.impl("spmm_extreme_grad", TORCH_BOX(&sgnn::binding::spmm_extreme_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spmm_extreme", TORCH_BOX(&sgnn::binding::spmm_extreme<true>));
  m.impl("spmm_extreme_grad", TORCH_BOX(&sgnn::binding::spmm_extreme_grad<true>));
}

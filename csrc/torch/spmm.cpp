#include "sgnn/spmm.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "dropout_args.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "spmm_on_cpu.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

struct SpmmCall {
  Tensor x;
  Tensor y;
  OptionalTensor residual;
  SpmmArgs args;
};

void set_features(SpmmCall& call, const Tensor& x, const Tensor& rowptr, int64_t num_cols) {
  check_dim(x, 2, "x");
  check_device(x, rowptr, "x");
  SGNN_CHECK(x.size(0) == num_cols, "x must have one row per source node, " +
                                        std::to_string(num_cols) + ", got shape " + shape_text(x) +
                                        ".");
  call.args.dtype = float_type(x, "x");
  call.args.width = x.size(1);
  call.x = with_contiguous_rows(x);
  call.args.x = call.x.const_data_ptr();
  call.args.x_stride = call.x.stride(0);
}

// Allocates y. Needs the graph and x.
void set_output(SpmmCall& call, std::optional<ScalarType> out_dtype) {
  SpmmArgs& args = call.args;
  const ScalarType type = out_dtype.value_or(call.x.scalar_type());
  args.out_dtype = float_type(type, "out_dtype");
  SGNN_CHECK(acc_scalar_type(args.out_dtype) == acc_scalar_type(args.dtype),
             "out_dtype must be float64 exactly when x is, got " + dtype_name(type) + ".");
  call.y = torch::stable::new_empty(call.x, {args.csr.num_rows, args.width}, type);
  args.y = call.y.mutable_data_ptr();
}

void set_residual(SpmmCall& call, const OptionalTensor& residual, const Tensor& rowptr) {
  if (!residual.has_value()) return;
  SpmmArgs& args = call.args;
  SGNN_CHECK(
      residual->dim() == 2 && residual->size(0) == args.csr.num_rows &&
          residual->size(1) == args.width,
      "residual must have shape " + shape_text(call.y) + ", got " + shape_text(*residual) + ".");
  check_dtype(*residual, call.y.scalar_type(), "residual");
  check_device(*residual, rowptr, "residual");
  call.residual = with_contiguous_rows(*residual);
  args.residual = call.residual->const_data_ptr();
  args.residual_stride = call.residual->stride(0);
}

template <bool kCuda>
Tensor spmm(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
            OptionalTensor, Tensor x, OptionalTensor weight, OptionalTensor mask,
            OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale,
            OptionalTensor bias, bool mean, bool relu, OptionalTensor residual, double dropout,
            OptionalTensor seed, std::optional<ScalarType> out_dtype) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  const int64_t num_cols = rows_of(t_rowptr, "t_rowptr");
  SpmmCall call{x, x, std::nullopt, {}};
  SpmmArgs& args = call.args;
  set_features(call, x, rowptr, num_cols);
  args.csr = csr_arg(rowptr, col, edge_id, num_cols);
  const int64_t edges = args.csr.nnz;
  args.weight = optional_vector(weight, edges, args.dtype, rowptr, "weight");
  args.mask = optional_vector(mask, edges, args.dtype, rowptr, "mask");
  args.bits = optional_bits(bits, edges, rowptr);
  args.row_scale = optional_vector(row_scale, args.csr.num_rows, args.dtype, rowptr, "row_scale");
  args.col_scale = optional_vector(col_scale, num_cols, args.dtype, rowptr, "col_scale");
  args.bias = optional_vector(bias, args.width, args.dtype, rowptr, "bias");
  args.mean = mean;
  args.relu = relu;
  set_output(call, out_dtype);
  set_residual(call, residual, rowptr);
  args.dropout_threshold = checked_dropout_threshold(dropout);
  if (args.dropout_threshold != kKeepAll) args.seed = checked_seed(seed, rowptr);
  if constexpr (kCuda) {
    const Tensor workspace = workspace_like(x, spmm_workspace(args));
    check_launch(spmm_cuda(args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  } else {
    advise_huge_pages(call.y);
    run_spmm_on_cpu(args);
  }
  return call.y;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm", TORCH_BOX(&sgnn::binding::spmm<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spmm", TORCH_BOX(&sgnn::binding::spmm<true>));
}

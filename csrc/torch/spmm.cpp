#include "sgnn/spmm.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "dropout_args.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "spmm_args.h"
#include "spmm_on_cpu.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

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

// Callers without a derivative in mind may leave the transpose empty.
bool has_transpose(const CsrArg& csr, const Tensor& t_rowptr, const Tensor& t_col) {
  const bool narrow = csr.index_type == IndexType::kInt32;
  if (t_rowptr.scalar_type() != (narrow ? ScalarType::Int : ScalarType::Long)) return false;
  if (!t_rowptr.is_contiguous() || t_col.numel() != csr.nnz) return false;
  const void* rows = t_rowptr.const_data_ptr();
  const int64_t last = narrow ? static_cast<const int32_t*>(rows)[csr.num_cols]
                              : static_cast<const int64_t*>(rows)[csr.num_cols];
  return last == csr.nnz;
}

void run_on_cpu(const SpmmArgs& args, const Tensor& t_rowptr, const Tensor& t_col,
                const OptionalTensor& t_edge_id) {
  const int64_t slice = spmm_cpu_push_slice(args);
  if (slice == 0 || !has_transpose(args.csr, t_rowptr, t_col)) return run_spmm_on_cpu(args);
  run_spmm_push_on_cpu(args, csr_arg(t_rowptr, t_col, t_edge_id, args.csr.num_rows), slice);
}

template <bool kCuda>
Tensor spmm(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor t_col,
            OptionalTensor t_edge_id, Tensor x, OptionalTensor weight, OptionalTensor mask,
            OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale,
            OptionalTensor bias, bool mean, bool relu, OptionalTensor residual, double dropout,
            OptionalTensor seed, std::optional<ScalarType> out_dtype) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(rowptr.get_device_index());
  SpmmCall call =
      spmm_call(rowptr, col, edge_id, t_rowptr, x, weight, mask, bits, row_scale, col_scale, bias);
  SpmmArgs& args = call.args;
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
    run_on_cpu(args, t_rowptr, t_col, t_edge_id);
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

#include "sgnn/sddmm.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

struct SddmmCall {
  Tensor a;
  Tensor b;
  Tensor out;
  SddmmArgs args;
};

SddmmCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                  const Tensor& t_rowptr, const Tensor& a, const Tensor& b,
                  const OptionalTensor& coef, const OptionalTensor& bits,
                  const OptionalTensor& row_scale, const OptionalTensor& col_scale) {
  const int64_t num_cols = rows_of(t_rowptr, "t_rowptr");
  check_dim(a, 2, "a");
  check_dim(b, 2, "b");
  check_device(a, rowptr, "a");
  check_device(b, rowptr, "b");
  check_dtype(b, a.scalar_type(), "b");
  SddmmCall call{with_contiguous_rows(a), with_contiguous_rows(b), a, {}};
  SddmmArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, num_cols);
  args.dtype = float_type(a, "a");
  args.width = a.size(1);
  SGNN_CHECK(a.size(0) == args.csr.num_rows, "a must have one row per target node, " +
                                                 std::to_string(args.csr.num_rows) +
                                                 ", got shape " + shape_text(a) + ".");
  SGNN_CHECK(b.size(0) == num_cols && b.size(1) == args.width,
             "b must have shape [" + std::to_string(num_cols) + ", " + std::to_string(args.width) +
                 "], got " + shape_text(b) + ".");
  args.a = call.a.const_data_ptr();
  args.a_stride = call.a.stride(0);
  args.b = call.b.const_data_ptr();
  args.b_stride = call.b.stride(0);
  args.coef = optional_vector(coef, args.csr.nnz, args.dtype, rowptr, "coef");
  args.bits = optional_bits(bits, args.csr.nnz, rowptr);
  args.row_scale = optional_vector(row_scale, args.csr.num_rows, args.dtype, rowptr, "row_scale");
  args.col_scale = optional_vector(col_scale, num_cols, args.dtype, rowptr, "col_scale");
  call.out = torch::stable::new_empty(a, {args.csr.nnz}, acc_scalar_type(args.dtype));
  args.out = call.out.mutable_data_ptr();
  return call;
}

Tensor sddmm_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                    OptionalTensor, Tensor a, Tensor b, OptionalTensor coef, OptionalTensor bits,
                    OptionalTensor row_scale, OptionalTensor col_scale) {
  const SddmmCall call =
      prepare(rowptr, col, edge_id, t_rowptr, a, b, coef, bits, row_scale, col_scale);
  advise_huge_pages(call.out);
  for_each_row_range(call.args.csr, call.args.width,
                     [&](int64_t begin, int64_t end) { sddmm_cpu(call.args, begin, end); });
  return call.out;
}

Tensor sddmm_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                     OptionalTensor, Tensor a, Tensor b, OptionalTensor coef, OptionalTensor bits,
                     OptionalTensor row_scale, OptionalTensor col_scale) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const SddmmCall call =
      prepare(rowptr, col, edge_id, t_rowptr, a, b, coef, bits, row_scale, col_scale);
  check_launch(sddmm_cuda(call.args, current_stream(rowptr)));
  return call.out;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("sddmm", TORCH_BOX(&sgnn::binding::sddmm_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("sddmm", TORCH_BOX(&sgnn::binding::sddmm_on_cuda));
}

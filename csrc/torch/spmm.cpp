#include "sgnn/spmm.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

struct SpmmCall {
  Tensor x;
  Tensor y;
  SpmmArgs args;
};

SpmmCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                 const Tensor& t_rowptr, const Tensor& x, const OptionalTensor& weight,
                 const OptionalTensor& mask, const OptionalTensor& bits,
                 const OptionalTensor& row_scale, const OptionalTensor& col_scale,
                 const OptionalTensor& bias, bool mean, bool relu) {
  check_dim(x, 2, "x");
  check_device(x, rowptr, "x");
  const int64_t num_cols = rows_of(t_rowptr, "t_rowptr");
  check(x.size(0) == num_cols, "x must have one row per source node, " + std::to_string(num_cols) +
                                   ", got shape " + shape_text(x) + ".");
  SpmmCall call{with_contiguous_rows(x), x, {}};
  SpmmArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, num_cols);
  args.dtype = float_type(x, "x");
  args.width = x.size(1);
  args.x = call.x.const_data_ptr();
  args.x_stride = call.x.stride(0);
  const int64_t edges = args.csr.nnz;
  args.weight = optional_vector(weight, edges, args.dtype, rowptr, "weight");
  args.mask = optional_vector(mask, edges, args.dtype, rowptr, "mask");
  args.bits = optional_bits(bits, edges, rowptr);
  args.row_scale = optional_vector(row_scale, args.csr.num_rows, args.dtype, rowptr, "row_scale");
  args.col_scale = optional_vector(col_scale, num_cols, args.dtype, rowptr, "col_scale");
  args.bias = optional_vector(bias, args.width, args.dtype, rowptr, "bias");
  args.mean = mean;
  args.relu = relu;
  call.y = torch::stable::new_empty(x, {args.csr.num_rows, args.width});
  args.y = call.y.mutable_data_ptr();
  return call;
}

Tensor spmm_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                   OptionalTensor, Tensor x, OptionalTensor weight, OptionalTensor mask,
                   OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale,
                   OptionalTensor bias, bool mean, bool relu) {
  const SpmmCall call = prepare(rowptr, col, edge_id, t_rowptr, x, weight, mask, bits, row_scale,
                                col_scale, bias, mean, relu);
  advise_huge_pages(call.y);
  const int64_t width = call.args.width;
  const int64_t slice = spmm_cpu_slice(call.args);
  for (int64_t first = 0; first < width; first += slice) {
    const int64_t last = first + slice < width ? first + slice : width;
    for_each_row_range(call.args.csr, last - first, [&](int64_t begin, int64_t end) {
      spmm_cpu(call.args, begin, end, first, last);
    });
  }
  return call.y;
}

Tensor spmm_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                    OptionalTensor, Tensor x, OptionalTensor weight, OptionalTensor mask,
                    OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale,
                    OptionalTensor bias, bool mean, bool relu) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const SpmmCall call = prepare(rowptr, col, edge_id, t_rowptr, x, weight, mask, bits, row_scale,
                                col_scale, bias, mean, relu);
  check_launch(spmm_cuda(call.args, current_stream(rowptr)));
  return call.y;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm", TORCH_BOX(&sgnn::binding::spmm_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spmm", TORCH_BOX(&sgnn::binding::spmm_on_cuda));
}

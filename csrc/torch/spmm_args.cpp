#include "spmm_args.h"

#include "graph_args.h"

namespace sgnn::binding {
namespace {

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

}  // namespace

SpmmCall spmm_call(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                   const Tensor& t_rowptr, const Tensor& x, const OptionalTensor& weight,
                   const OptionalTensor& mask, const OptionalTensor& bits,
                   const OptionalTensor& row_scale, const OptionalTensor& col_scale,
                   const OptionalTensor& bias) {
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
  return call;
}

}  // namespace sgnn::binding

#include "topk_rows_args.h"

#include <torch/csrc/stable/ops.h>

#include "rows_args.h"

namespace sgnn::binding {

TopkRowsCall topk_rows_call(const Tensor& x, int64_t rows, int64_t k, bool magnitude) {
  const DType dtype = float_type(x, "x");
  const int64_t width = x.size(1);
  SGNN_CHECK(width <= INT32_MAX,
             "x must have fewer than 2^31 columns, got shape " + shape_text(x) + ".");
  SGNN_CHECK(k >= 0 && k <= width, "k must lie in [0, " + std::to_string(width) +
                                       "], the columns of x, got " + std::to_string(k) + ".");
  TopkRowsCall call{torch::stable::new_empty(x, {rows, k}),
                    torch::stable::new_empty(x, {rows, k}, id_scalar_type(id_type_for(width))),
                    {}};
  TopkRowsArgs& args = call.args;
  args.dtype = dtype;
  args.num_rows = rows;
  args.width = width;
  args.k = k;
  args.magnitude = magnitude;
  args.values = call.values.mutable_data_ptr();
  args.ids = call.ids.mutable_data_ptr();
  return call;
}

}  // namespace sgnn::binding

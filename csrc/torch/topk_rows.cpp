#include "sgnn/topk_rows.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "cuda_stream.h"
#include "huge_pages.h"
#include "parallel.h"
#include "rows_args.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kRowBlock = 16;
constexpr int64_t kWorkPerElement = 2;  // keys, a few counts

struct TopkRowsCall {
  Tensor x;
  Tensor values;
  Tensor ids;
  TopkRowsArgs args;
};

TopkRowsCall prepare(const Tensor& x, int64_t k, bool magnitude) {
  check_dim(x, 2, "x");
  const DType dtype = float_type(x, "x");
  const int64_t width = x.size(1);
  SGNN_CHECK(width <= INT32_MAX,
             "x must have fewer than 2^31 columns, got shape " + shape_text(x) + ".");
  SGNN_CHECK(k >= 0 && k <= width, "k must lie in [0, " + std::to_string(width) +
                                       "], the columns of x, got " + std::to_string(k) + ".");
  TopkRowsCall call{with_contiguous_rows(x), x, x, {}};
  call.values = torch::stable::new_empty(x, {x.size(0), k});
  call.ids = torch::stable::new_empty(x, {x.size(0), k}, id_scalar_type(id_type_for(width)));
  TopkRowsArgs& args = call.args;
  args.dtype = dtype;
  args.num_rows = x.size(0);
  args.width = width;
  args.k = k;
  args.magnitude = magnitude;
  args.x = call.x.const_data_ptr();
  args.x_stride = call.x.stride(0);
  args.values = call.values.mutable_data_ptr();
  args.ids = call.ids.mutable_data_ptr();
  return call;
}

std::tuple<Tensor, Tensor> topk_rows_on_cpu(Tensor x, int64_t k, bool magnitude) {
  const TopkRowsCall call = prepare(x, k, magnitude);
  advise_huge_pages(call.values);
  advise_huge_pages(call.ids);
  if (k > 0) {
    for_each_block(call.args.num_rows, kRowBlock, kWorkPerElement * call.args.width,
                   [&](int64_t begin, int64_t end) { topk_rows_cpu(call.args, begin, end); });
  }
  return {call.values, call.ids};
}

std::tuple<Tensor, Tensor> topk_rows_on_cuda(Tensor x, int64_t k, bool magnitude) {
  const torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  const TopkRowsCall call = prepare(x, k, magnitude);
  check_launch(topk_rows_cuda(call.args, current_stream(x)));
  return {call.values, call.ids};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("topk_rows", TORCH_BOX(&sgnn::binding::topk_rows_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("topk_rows", TORCH_BOX(&sgnn::binding::topk_rows_on_cuda));
}

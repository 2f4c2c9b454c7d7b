#include "sgnn/topk_rows.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "cuda_stream.h"
#include "huge_pages.h"
#include "parallel.h"
#include "topk_rows_args.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kRowBlock = 16;
constexpr int64_t kWorkPerElement = 2;  // keys, a few counts

struct Selection : TopkRowsCall {
  Tensor x;
};

Selection prepare(const Tensor& x, int64_t k, bool magnitude) {
  check_dim(x, 2, "x");
  Selection call{topk_rows_call(x, x.size(0), k, magnitude), with_contiguous_rows(x)};
  call.args.x = call.x.const_data_ptr();
  call.args.x_stride = call.x.stride(0);
  return call;
}

std::tuple<Tensor, Tensor> topk_rows_on_cpu(Tensor x, int64_t k, bool magnitude) {
  const Selection call = prepare(x, k, magnitude);
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
  const Selection call = prepare(x, k, magnitude);
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

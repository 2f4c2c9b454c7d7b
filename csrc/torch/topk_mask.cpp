#include "sgnn/topk_mask.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <vector>

#include "cuda_stream.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

// Owns what the raw pointer tables of TopkMaskArgs refer to.
struct TopkCall {
  std::vector<Tensor> scores;
  std::vector<Tensor> keep;
  std::vector<const void*> score_data;
  std::vector<uint8_t*> keep_data;
  std::vector<int64_t> sizes;
  TopkMaskArgs args;
};

TopkCall prepare(const std::vector<Tensor>& scores, int64_t k) {
  check(!scores.empty(), "scores must hold at least one tensor, got an empty list.");
  TopkCall call;
  int64_t total = 0;
  for (const Tensor& tensor : scores) {
    check_dtype(tensor, scores[0].scalar_type(), "scores");
    check_device(tensor, scores[0], "scores");
    call.scores.push_back(torch::stable::contiguous(tensor));
    call.keep.push_back(
        torch::stable::new_empty(call.scores.back(), tensor.sizes(), ScalarType::Bool));
    call.score_data.push_back(call.scores.back().const_data_ptr());
    call.keep_data.push_back(static_cast<uint8_t*>(call.keep.back().mutable_data_ptr()));
    call.sizes.push_back(tensor.numel());
    total += tensor.numel();
  }
  check(k >= 0 && k <= total,
        "k must lie in [0, " + std::to_string(total) + "], got " + std::to_string(k) + ".");
  TopkMaskArgs& args = call.args;
  args.dtype = float_type(scores[0], "scores");
  args.num_tensors = static_cast<int64_t>(scores.size());
  args.k = k;
  return call;
}

// The tables are bound last: a TopkCall may have moved since it was prepared.
const TopkMaskArgs& bind(TopkCall& call) {
  call.args.scores = call.score_data.data();
  call.args.keep = call.keep_data.data();
  call.args.sizes = call.sizes.data();
  return call.args;
}

std::vector<Tensor> topk_on_cpu(std::vector<Tensor> scores, int64_t k) {
  TopkCall call = prepare(scores, k);
  topk_mask_cpu(bind(call));
  return call.keep;
}

std::vector<Tensor> topk_on_cuda(std::vector<Tensor> scores, int64_t k) {
  check(!scores.empty(), "scores must hold at least one tensor, got an empty list.");
  const torch::stable::accelerator::DeviceGuard guard(scores[0].get_device_index());
  TopkCall call = prepare(scores, k);
  const TopkMaskArgs& args = bind(call);
  const Tensor workspace = workspace_like(scores[0], topk_mask_workspace(args));
  check_launch(topk_mask_cuda(args, workspace.mutable_data_ptr(), current_stream(scores[0])));
  return call.keep;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("topk_mask", TORCH_BOX(&sgnn::binding::topk_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("topk_mask", TORCH_BOX(&sgnn::binding::topk_on_cuda));
}

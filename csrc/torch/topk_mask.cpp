#include "sgnn/topk_mask.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <utility>
#include <vector>

#include "cuda_stream.h"
#include "huge_pages.h"
#include "parallel.h"
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
  std::vector<int64_t> k;
  TopkMaskArgs args;
};

void check_count(int64_t k, int64_t size) {
  SGNN_CHECK(k >= 0 && k <= size,
             "k must lie in [0, " + std::to_string(size) + "], got " + std::to_string(k) + ".");
}

// One count for all tensors together, or one for each.
void check_counts(const TopkCall& call, int64_t total) {
  if (!call.args.per_tensor) {
    SGNN_CHECK(call.k.size() == 1,
               "k must be one count, got " + std::to_string(call.k.size()) + " counts.");
    return check_count(call.k[0], total);
  }
  SGNN_CHECK(call.k.size() == call.sizes.size(),
             "k must hold one count for each of the " + std::to_string(call.sizes.size()) +
                 " tensors, got " + std::to_string(call.k.size()) + " counts.");
  for (size_t t = 0; t < call.k.size(); ++t) check_count(call.k[t], call.sizes[t]);
}

TopkCall prepare(const std::vector<Tensor>& scores, std::vector<int64_t> k, bool per_tensor) {
  SGNN_CHECK(!scores.empty(), "scores must hold at least one tensor, got an empty list.");
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
  call.k = std::move(k);
  TopkMaskArgs& args = call.args;
  args.dtype = float_type(scores[0], "scores");
  args.num_tensors = static_cast<int64_t>(scores.size());
  args.per_tensor = per_tensor;
  check_counts(call, total);
  return call;
}

// The tables are bound last: a TopkCall may have moved since it was prepared.
const TopkMaskArgs& bind(TopkCall& call) {
  call.args.scores = call.score_data.data();
  call.args.keep = call.keep_data.data();
  call.args.sizes = call.sizes.data();
  call.args.k = call.k.data();
  return call.args;
}

std::vector<Tensor> topk_on_cpu(std::vector<Tensor> scores, std::vector<int64_t> k,
                                bool per_tensor) {
  TopkCall call = prepare(scores, std::move(k), per_tensor);
  for (const Tensor& keep : call.keep) advise_huge_pages(keep);
  topk_mask_cpu(bind(call), torch_executor());
  return call.keep;
}

std::vector<Tensor> topk_on_cuda(std::vector<Tensor> scores, std::vector<int64_t> k,
                                 bool per_tensor) {
  SGNN_CHECK(!scores.empty(), "scores must hold at least one tensor, got an empty list.");
  const torch::stable::accelerator::DeviceGuard guard(scores[0].get_device_index());
  TopkCall call = prepare(scores, std::move(k), per_tensor);
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

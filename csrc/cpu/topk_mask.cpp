#include "sgnn/topk_mask.h"

#include <algorithm>

#include "selection.h"

namespace sgnn {
namespace {

cpu::SelectTensor tensor_of(const TopkMaskArgs& args, int64_t t) {
  cpu::SelectTensor tensor;
  tensor.scores.dtype = args.dtype;
  tensor.scores.scores = args.scores[t];
  tensor.size = args.sizes[t];
  tensor.keep = args.keep[t];
  return tensor;
}

// Large tensors use every thread, one after another; the small ones are dealt to the threads.
void select_each(const TopkMaskArgs& args, const Executor& executor) {
  std::vector<int64_t> small;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    if (args.sizes[t] < cpu::kSerialScores) {
      small.push_back(t);
    } else {
      cpu::select_largest({tensor_of(args, t)}, args.k[t], executor);
    }
  }
  constexpr int64_t kGroup = 16;  // tensors of one part
  const auto count = static_cast<int64_t>(small.size());
  const auto select_group = [&](int64_t group) {
    const Executor serial = serial_executor();
    const int64_t end = std::min(count, (group + 1) * kGroup);
    for (int64_t i = group * kGroup; i < end; ++i) {
      cpu::select_largest({tensor_of(args, small[i])}, args.k[small[i]], serial);
    }
  };
  const int64_t groups = (count + kGroup - 1) / kGroup;
  if (groups == 1) return select_group(0);
  if (groups > 1) executor.run(groups, select_group);
}

}  // namespace

void topk_mask_cpu(const TopkMaskArgs& args, const Executor& executor) {
  if (args.per_tensor) return select_each(args, executor);
  std::vector<cpu::SelectTensor> tensors;
  for (int64_t t = 0; t < args.num_tensors; ++t) tensors.push_back(tensor_of(args, t));
  cpu::select_largest(tensors, args.k[0], executor);
}

}  // namespace sgnn

#include "sgnn/dropout.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "cuda_stream.h"
#include "dropout_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {

uint32_t checked_dropout_threshold(double p) {
  SGNN_CHECK(p >= 0.0 && p <= 1.0, "dropout must lie in [0, 1], got " + std::to_string(p) + ".");
  return dropout_threshold(p);
}

const int64_t* checked_seed(const OptionalTensor& seed, const Tensor& reference) {
  SGNN_CHECK(seed.has_value(), "seed must be an int64 tensor of shape [1], got none.");
  check_vector(*seed, 1, ScalarType::Long, reference, "seed");
  return static_cast<const int64_t*>(seed->const_data_ptr());
}

namespace {

constexpr int64_t kBlock = 4096;  // elements; a multiple of those that share a counter

template <bool kCuda>
Tensor dropout(Tensor x, double p, Tensor seed) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(x.get_device_index());
  DropoutArgs args;
  args.dtype = float_type(x, "x");
  args.count = x.numel();
  args.threshold = checked_dropout_threshold(p);
  args.seed = checked_seed(seed, x);
  const Tensor source = torch::stable::contiguous(x);
  const Tensor y = torch::stable::new_empty(x, x.sizes());
  args.x = source.const_data_ptr();
  args.y = y.mutable_data_ptr();
  if constexpr (kCuda) {
    check_launch(dropout_cuda(args, current_stream(x)));
  } else {
    advise_huge_pages(y);
    for_each_block(args.count, kBlock, 1,
                   [&](int64_t begin, int64_t end) { dropout_cpu(args, begin, end); });
  }
  return y;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("dropout", TORCH_BOX(&sgnn::binding::dropout<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("dropout", TORCH_BOX(&sgnn::binding::dropout<true>));
}

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

bool same_shape(const Tensor& a, const Tensor& b) {
  if (a.dim() != b.dim()) return false;
  for (int64_t d = 0; d < a.dim(); ++d) {
    if (a.size(d) != b.size(d)) return false;
  }
  return true;
}

void set_bias(DropoutArgs& args, const OptionalTensor& bias, const Tensor& x) {
  if (!bias.has_value()) return;
  SGNN_CHECK(x.dim() > 0, "x must have a dimension for the bias, got shape [].");
  args.width = x.size(x.dim() - 1);
  args.bias = optional_vector(bias, args.width, args.dtype, x, "bias");
}

template <bool kCuda>
Tensor dropout(Tensor x, double p, OptionalTensor seed, OptionalTensor bias, bool relu) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(x.get_device_index());
  DropoutArgs args;
  args.dtype = float_type(x, "x");
  args.count = x.numel();
  args.relu = relu;
  args.threshold = checked_dropout_threshold(p);
  if (args.threshold != kKeepAll) args.seed = checked_seed(seed, x);
  set_bias(args, bias, x);
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

template <bool kCuda>
Tensor dropout_grad(Tensor grad, Tensor y, double p) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(grad.get_device_index());
  DropoutGradArgs args;
  args.dtype = float_type(grad, "grad");
  check_dtype(y, grad.scalar_type(), "y");
  check_device(y, grad, "y");
  SGNN_CHECK(same_shape(y, grad),
             "y must have the shape of grad, " + shape_text(grad) + ", got " + shape_text(y) + ".");
  args.count = grad.numel();
  args.threshold = checked_dropout_threshold(p);
  const Tensor upstream = torch::stable::contiguous(grad), result = torch::stable::contiguous(y);
  const Tensor out = torch::stable::new_empty(upstream, upstream.sizes());
  args.grad = upstream.const_data_ptr();
  args.y = result.const_data_ptr();
  args.out = out.mutable_data_ptr();
  if constexpr (kCuda) {
    check_launch(dropout_grad_cuda(args, current_stream(grad)));
  } else {
    advise_huge_pages(out);
    for_each_block(args.count, kBlock, 1,
                   [&](int64_t begin, int64_t end) { dropout_grad_cpu(args, begin, end); });
  }
  return out;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("dropout", TORCH_BOX(&sgnn::binding::dropout<false>));
  m.impl("dropout_grad", TORCH_BOX(&sgnn::binding::dropout_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("dropout", TORCH_BOX(&sgnn::binding::dropout<true>));
  m.impl("dropout_grad", TORCH_BOX(&sgnn::binding::dropout_grad<true>));
}

#include "sgnn/hard_concrete.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "cuda_stream.h"
#include "dropout_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kBlock = 4096;  // elements; a multiple of kGateBlock
constexpr int64_t kWork = 8;      // of one element, beside a multiply-add

template <bool kCuda>
Tensor run(const Tensor& logits, const OptionalTensor& grad, const OptionalTensor& seed,
           double beta, double gamma, double zeta) {
  HardConcreteArgs args;
  check_dim(logits, 1, "logits");
  args.dtype = float_type(logits, "logits");
  check_dtype(logits, acc_scalar_type(args.dtype), "logits");
  SGNN_CHECK(beta > 0.0, "beta must be positive, got " + std::to_string(beta) + ".");
  SGNN_CHECK(gamma <= 0.0, "gamma must be zero or negative, got " + std::to_string(gamma) + ".");
  SGNN_CHECK(zeta >= 1.0, "zeta must be one or larger, got " + std::to_string(zeta) + ".");
  args.beta = beta;
  args.gamma = gamma;
  args.zeta = zeta;
  args.count = logits.size(0);
  const Tensor source = torch::stable::contiguous(logits);
  const Tensor upstream = grad.has_value() ? torch::stable::contiguous(*grad) : source;
  if (grad.has_value()) {
    check_vector(upstream, args.count, logits.scalar_type(), logits, "grad");
    args.grad = upstream.const_data_ptr();
  }
  if (seed.has_value()) args.seed = checked_seed(seed, logits);
  const Tensor out = torch::stable::new_empty(logits, {args.count});
  args.logits = source.const_data_ptr();
  args.out = out.mutable_data_ptr();
  if constexpr (kCuda) {
    check_launch(hard_concrete_cuda(args, current_stream(logits)));
  } else {
    advise_huge_pages(out);
    for_each_block(args.count, kBlock, kWork,
                   [&](int64_t begin, int64_t end) { hard_concrete_cpu(args, begin, end); });
  }
  return out;
}

template <bool kCuda>
Tensor hard_concrete(Tensor logits, OptionalTensor seed, double beta, double gamma, double zeta) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(logits.get_device_index());
  return run<kCuda>(logits, std::nullopt, seed, beta, gamma, zeta);
}

template <bool kCuda>
Tensor hard_concrete_grad(Tensor grad, Tensor logits, OptionalTensor seed, double beta,
                          double gamma, double zeta) {
  std::optional<torch::stable::accelerator::DeviceGuard> guard;
  if constexpr (kCuda) guard.emplace(logits.get_device_index());
  return run<kCuda>(logits, grad, seed, beta, gamma, zeta);
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("hard_concrete", TORCH_BOX(&sgnn::binding::hard_concrete<false>));
  m.impl("hard_concrete_grad", TORCH_BOX(&sgnn::binding::hard_concrete_grad<false>));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("hard_concrete", TORCH_BOX(&sgnn::binding::hard_concrete<true>));
  m.impl("hard_concrete_grad", TORCH_BOX(&sgnn::binding::hard_concrete_grad<true>));
}

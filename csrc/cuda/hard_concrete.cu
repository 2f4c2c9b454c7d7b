// Launch of hard concrete gates.
#include "hard_concrete.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

constexpr int64_t kMostBlocks = 1 << 14;

template <typename T>
Status launch_typed(const HardConcreteArgs& args, Stream stream) {
  const HardConcreteParams<T> params = {
      static_cast<const T*>(args.logits),
      static_cast<const T*>(args.grad),
      static_cast<T*>(args.out),
      args.count,
      args.seed,
      args.seed == nullptr ? T(1) : T(1) / static_cast<T>(args.beta),
      static_cast<T>(args.gamma),
      static_cast<T>(args.zeta)};
  const int64_t blocks = ceil_div(args.count, static_cast<int64_t>(kGateThreads) * kGateElements);
  const dim3 grid(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
  const auto kernel = hard_concrete_kernel<T>;
  SGNN_LAUNCH(kernel, grid, dim3(kGateThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

Status hard_concrete_cuda(const HardConcreteArgs& args, Stream stream) {
  if (args.count == 0) return nullptr;
  Status status = nullptr;
  dispatch_acc(args.dtype, [&](auto type) {
    status = launch_typed<typename decltype(type)::type>(args, stream);
  });
  return status;
}

}  // namespace sgnn

// Launches of dropout by position and of its derivative after ReLU.
#include "dropout.cuh"
#include "sgnn/dispatch.h"
#include "sgnn/dropout.h"

namespace sgnn {
namespace {

constexpr int64_t kMostBlocks = 1 << 14;

dim3 grid_of(int64_t count, int64_t elements_per_thread) {
  const int64_t blocks = ceil_div(count, kDropoutThreads * elements_per_thread);
  return dim3(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
}

template <typename T>
Status launch_typed(const DropoutArgs& args, Stream stream) {
  using Acc = acc_t<T>;
  const DropoutParams<T> params = {static_cast<const T*>(args.x),
                                   static_cast<T*>(args.y),
                                   args.count,
                                   args.seed,
                                   args.threshold,
                                   dropout_scale<Acc>(args.threshold),
                                   static_cast<const Acc*>(args.bias),
                                   args.width,
                                   args.relu};
  const auto kernel = dropout_kernel<T>;
  SGNN_LAUNCH(kernel, grid_of(args.count, kDropoutElements), dim3(kDropoutThreads), 0, stream,
              params);
  return launch_status();
}

template <typename T>
Status launch_grad(const DropoutGradArgs& args, Stream stream) {
  const DropoutGradParams<T> params = {static_cast<const T*>(args.grad),
                                       static_cast<const T*>(args.y), static_cast<T*>(args.out),
                                       args.count, dropout_scale<acc_t<T>>(args.threshold)};
  const auto kernel = dropout_grad_kernel<T>;
  SGNN_LAUNCH(kernel, grid_of(args.count, 1), dim3(kDropoutThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

Status dropout_cuda(const DropoutArgs& args, Stream stream) {
  if (args.count == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    status = launch_typed<typename decltype(type)::type>(args, stream);
  });
  return status;
}

Status dropout_grad_cuda(const DropoutGradArgs& args, Stream stream) {
  if (args.count == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    status = launch_grad<typename decltype(type)::type>(args, stream);
  });
  return status;
}

}  // namespace sgnn

// Launch of dropout by position.
#include "dropout.cuh"
#include "sgnn/dispatch.h"
#include "sgnn/dropout.h"

namespace sgnn {
namespace {

constexpr int64_t kMostBlocks = 1 << 14;

template <typename T>
Status launch_typed(const DropoutArgs& args, Stream stream) {
  const DropoutParams<T> params = {static_cast<const T*>(args.x),
                                   static_cast<T*>(args.y),
                                   args.count,
                                   args.seed,
                                   args.threshold,
                                   dropout_scale<acc_t<T>>(args.threshold)};
  const int64_t blocks =
      ceil_div(args.count, static_cast<int64_t>(kDropoutThreads) * kDropoutElements);
  const dim3 grid(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
  const auto kernel = dropout_kernel<T>;
  SGNN_LAUNCH(kernel, grid, dim3(kDropoutThreads), 0, stream, params);
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

}  // namespace sgnn

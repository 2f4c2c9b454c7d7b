// Launches of random walks.
#include "random_walk.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {

Status random_walk_cuda(const RandomWalkArgs& args, Stream stream) {
  if (args.num_walks == 0) return nullptr;
  constexpr int64_t kMaxBlocks = 1 << 20;
  const int64_t blocks = ceil_div(args.num_walks, kWalkThreads);
  const dim3 grid(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks));
  dispatch_index(args.csr.index_type, [&](auto index) {
    using Index = typename decltype(index)::type;
    const auto kernel = random_walk_kernel<Index>;
    SGNN_LAUNCH(kernel, grid, dim3(kWalkThreads), 0, stream, args, view_csr<Index>(args.csr));
  });
  return launch_status();
}

}  // namespace sgnn

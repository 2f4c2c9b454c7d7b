// Launch of the sums of edge weights.
#include "sgnn/dispatch.h"
#include "walk_weights.cuh"

namespace sgnn {

Status walk_weights_cuda(const WalkWeightsArgs& args, Stream stream) {
  if (args.csr.num_rows == 0) return nullptr;
  constexpr int64_t kMaxBlocks = 1 << 20;
  const int64_t blocks = ceil_div(args.csr.num_rows, kWeightWarps);
  const dim3 grid(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks));
  dispatch_index(args.csr.index_type, [&](auto index) {
    using Index = typename decltype(index)::type;
    const auto kernel = walk_weights_kernel<Index>;
    SGNN_LAUNCH(kernel, grid, dim3(kWeightWarps * kWarpSize), 0, stream, view_csr<Index>(args.csr),
                args.weight, args.sum);
  });
  return launch_status();
}

}  // namespace sgnn

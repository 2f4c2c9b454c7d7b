// Launch of the operators on values per edge and head.
#include <type_traits>

#include "edge_softmax.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

template <typename View>
using index_of = std::remove_const_t<std::remove_pointer_t<decltype(View::col)>>;

dim3 grid_of(int64_t warps) { return dim3(static_cast<unsigned>(ceil_div(warps, kEdgeWarps))); }

// Calls launch(TypeTag<Acc>, CSR view) unless there is no warp to run.
template <typename Args, typename Launch>
Status dispatch(const Args& args, int64_t warps, Launch&& launch) {
  if (warps == 0) return nullptr;
  dispatch_acc(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      launch(type, view_csr<typename decltype(index)::type>(args.csr));
    });
  });
  return launch_status();
}

}  // namespace

Status edge_scores_cuda(const EdgeScoresArgs& args, Stream stream) {
  const int64_t warps = args.heads == 0 ? 0 : ceil_div(args.csr.nnz, kWarpSize);
  return dispatch(args, warps, [&](auto type, auto csr) {
    using Acc = typename decltype(type)::type;
    using Index = index_of<decltype(csr)>;
    const EdgeScoresParams<Acc, Index> params = {csr,
                                                 args.bits,
                                                 args.heads,
                                                 static_cast<const Acc*>(args.dst),
                                                 static_cast<const Acc*>(args.src),
                                                 static_cast<Acc>(args.negative_slope),
                                                 static_cast<Acc*>(args.out)};
    const auto kernel = edge_scores_kernel<Acc, Index>;
    SGNN_LAUNCH(kernel, grid_of(warps), dim3(kEdgeThreads), 0, stream, params);
  });
}

Status edge_sum_cuda(const EdgeSumArgs& args, Stream stream) {
  const int64_t warps = args.csr.num_rows * args.heads;
  return dispatch(args, warps, [&](auto type, auto csr) {
    using Acc = typename decltype(type)::type;
    using Index = index_of<decltype(csr)>;
    const auto kernel = edge_sum_kernel<Acc, Index>;
    SGNN_LAUNCH(kernel, grid_of(warps), dim3(kEdgeThreads), 0, stream, csr, args.bits, args.heads,
                static_cast<const Acc*>(args.values), static_cast<Acc*>(args.out));
  });
}

Status edge_softmax_cuda(const EdgeSoftmaxArgs& args, Stream stream) {
  const int64_t warps = args.csr.num_rows * args.heads;
  return dispatch(args, warps, [&](auto type, auto csr) {
    using Acc = typename decltype(type)::type;
    using Index = index_of<decltype(csr)>;
    const auto kernel = edge_softmax_kernel<Acc, Index>;
    SGNN_LAUNCH(kernel, grid_of(warps), dim3(kEdgeThreads), 0, stream, csr, args.bits, args.heads,
                static_cast<const Acc*>(args.scores), static_cast<Acc*>(args.out));
  });
}

Status edge_softmax_grad_cuda(const EdgeSoftmaxGradArgs& args, Stream stream) {
  const int64_t warps = args.csr.num_rows * args.heads;
  return dispatch(args, warps, [&](auto type, auto csr) {
    using Acc = typename decltype(type)::type;
    using Index = index_of<decltype(csr)>;
    const auto kernel = edge_softmax_grad_kernel<Acc, Index>;
    SGNN_LAUNCH(kernel, grid_of(warps), dim3(kEdgeThreads), 0, stream, csr, args.bits, args.heads,
                static_cast<const Acc*>(args.softmax), static_cast<const Acc*>(args.grad),
                static_cast<Acc*>(args.out));
  });
}

}  // namespace sgnn

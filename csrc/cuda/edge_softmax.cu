// Launch of the operators on values per edge and head.
#include <type_traits>

#include "edge_softmax.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

dim3 grid_of(int64_t blocks) { return dim3(static_cast<unsigned>(blocks)); }

template <typename Op, typename Index>
void launch_rows(const EdgeRowsParams<Op, Index>& params, Stream stream) {
  const dim3 threads(kEdgeThreads);
  const int64_t row_blocks = ceil_div(params.csr.num_rows * params.heads, kEdgeWarps);
  const auto rows = edge_rows_kernel<Op, Index>;
  SGNN_LAUNCH(rows, grid_of(params.split.blocks + row_blocks), threads, 0, stream, params);
  if (params.split.chunks == 0) return;
  const auto hubs = edge_hubs_kernel<Op, Index>;
  SGNN_LAUNCH(hubs, grid_of(params.split.blocks), threads, 0, stream, params);
  if constexpr (Op::kPerEdge) {
    const auto chunks = edge_chunks_kernel<Op, Index>;
    SGNN_LAUNCH(chunks, grid_of(params.split.blocks), threads, 0, stream, params);
  }
}

// make(TypeTag<Acc>) is the operator.
template <typename Args, typename Make>
Status dispatch_rows(const Args& args, void* workspace, Stream stream, Make&& make) {
  if (args.csr.num_rows == 0 || args.heads == 0) return nullptr;
  dispatch_acc(args.dtype, [&](auto type) {
    using Acc = typename decltype(type)::type;
    const auto op = make(type);
    const int64_t nnz = args.csr.nnz;
    const int64_t chunks = workspace == nullptr ? 0 : chunk_count(nnz);
    const HubSplit<Acc> split = {chunk_edges(nnz), chunks,
                                 ceil_div(chunks * args.heads, kEdgeWarps),
                                 static_cast<Acc*>(workspace), nullptr};
    dispatch_index(args.csr.index_type, [&](auto index) {
      using Index = typename decltype(index)::type;
      const EdgeRowsParams<std::remove_const_t<decltype(op)>, Index> params = {
          view_csr<Index>(args.csr), args.bits, args.heads, split, op};
      launch_rows(params, stream);
    });
  });
  return launch_status();
}

}  // namespace

int64_t edge_rows_workspace(const CsrArg& csr, DType dtype, int64_t heads) {
  constexpr int64_t kNumbers = 2;  // of the largest state
  return chunk_count(csr.nnz) * heads * kNumbers * (dtype == DType::kFloat64 ? 8 : 4);
}

Status edge_scores_cuda(const EdgeScoresArgs& args, Stream stream) {
  if (args.csr.nnz == 0 || args.heads == 0) return nullptr;
  dispatch_acc(args.dtype, [&](auto type) {
    using Acc = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      using Index = typename decltype(index)::type;
      const EdgeScoresParams<Acc, Index> params = {view_csr<Index>(args.csr),
                                                   args.bits,
                                                   args.heads,
                                                   static_cast<const Acc*>(args.dst),
                                                   static_cast<const Acc*>(args.src),
                                                   static_cast<Acc>(args.negative_slope),
                                                   static_cast<Acc*>(args.out)};
      const auto kernel = edge_scores_kernel<Acc, Index>;
      SGNN_LAUNCH(kernel, grid_of(ceil_div(args.csr.nnz, kEdgeThreads)), dim3(kEdgeThreads), 0,
                  stream, params);
    });
  });
  return launch_status();
}

Status edge_sum_cuda(const EdgeSumArgs& args, void* workspace, Stream stream) {
  return dispatch_rows(args, workspace, stream, [&](auto type) {
    using Acc = typename decltype(type)::type;
    return EdgeSum<Acc>{static_cast<const Acc*>(args.values), static_cast<Acc*>(args.out)};
  });
}

Status edge_softmax_cuda(const EdgeSoftmaxArgs& args, void* workspace, Stream stream) {
  return dispatch_rows(args, workspace, stream, [&](auto type) {
    using Acc = typename decltype(type)::type;
    return EdgeSoftmax<Acc>{static_cast<const Acc*>(args.scores), static_cast<Acc*>(args.out)};
  });
}

Status edge_softmax_grad_cuda(const EdgeSoftmaxGradArgs& args, void* workspace, Stream stream) {
  return dispatch_rows(args, workspace, stream, [&](auto type) {
    using Acc = typename decltype(type)::type;
    return EdgeSoftmaxGrad<Acc>{static_cast<const Acc*>(args.softmax),
                                static_cast<const Acc*>(args.grad), static_cast<Acc*>(args.out)};
  });
}

}  // namespace sgnn

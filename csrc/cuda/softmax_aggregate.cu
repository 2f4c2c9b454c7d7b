// Launch of softmax aggregation and its gradients.
#include "column_sum.cuh"
#include "sgnn/dispatch.h"
#include "softmax_aggregate.cuh"
#include "softmax_aggregate_grad.cuh"

namespace sgnn {
namespace {

int64_t align_16(int64_t bytes) { return ceil_div(bytes, 16) * 16; }

template <typename T>
int64_t hub_bytes(const SoftmaxAggregateInputs& args, int64_t parts) {
  return partial_bytes<T>(tile_shape<T>(args.width), chunk_count(args.csr.nnz) * parts);
}

template <typename T>
void fill_base(SoftmaxAggregateBase<T>& params, const SoftmaxAggregateInputs& args,
               void* workspace) {
  using Acc = acc_t<T>;
  const int64_t chunks = workspace == nullptr ? 0 : chunk_count(args.csr.nnz);
  params.csr = any_csr(args.csr);
  params.shape = tile_shape<T>(args.width);
  params.split = {chunk_edges(args.csr.nnz), chunks, ceil_div(chunks, kSoftmaxWarps),
                  static_cast<Acc*>(workspace), nullptr};
  params.width = args.width;
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.t = static_cast<const Acc*>(args.t);
  params.bits = args.bits;
  params.message = {args.relu ? Acc(0) : static_cast<Acc>(-INFINITY),
                    args.relu ? static_cast<Acc>(args.eps) : Acc(0)};
}

// Launches `kernel` with a warp per chunk and per row, then `hubs` with one per chunk and tile.
template <typename Kernel, typename HubKernel, typename Params>
void launch_both(Kernel kernel, HubKernel hubs, const Params& params, Stream stream) {
  const dim3 threads(kSoftmaxThreads);
  const int64_t row_blocks = ceil_div(params.csr.num_rows, kSoftmaxWarps);
  const dim3 grid(static_cast<unsigned>(params.split.blocks + row_blocks));
  SGNN_LAUNCH(kernel, grid, threads, 0, stream, params);
  if (params.split.chunks == 0) return;
  const int64_t tiles = params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY;
  const dim3 hub_grid(static_cast<unsigned>(params.split.blocks), static_cast<unsigned>(tiles));
  SGNN_LAUNCH(hubs, hub_grid, threads, 0, stream, params);
}

template <typename T>
void launch_forward(const SoftmaxAggregateArgs& args, void* workspace, Stream stream) {
  SoftmaxAggregateParams<T> params;
  fill_base(params, args, workspace);
  params.y = static_cast<T*>(args.y);
  params.log_sum = static_cast<acc_t<T>*>(args.log_sum);
  const bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.y, args.width, args.width) &&
                       rows_aligned<T>(args.log_sum, args.width, args.width);
  aligned ? launch_both(softmax_aggregate_kernel<T, true>, softmax_aggregate_hub_kernel<T, true>,
                        params, stream)
          : launch_both(softmax_aggregate_kernel<T, false>, softmax_aggregate_hub_kernel<T, false>,
                        params, stream);
}

// The workspace of the backward: the parts of t's gradient by source and by slice of the sources
// when it is wanted, then the chunks of hubs.
struct GradSpace {
  int64_t by_source;  // bytes
  int64_t by_slice;
  int64_t hubs;
};

template <typename T>
GradSpace grad_space(const SoftmaxAggregateGradArgs& args, bool with_dt) {
  const auto element = static_cast<int64_t>(sizeof(acc_t<T>));
  return {with_dt ? align_16(args.csr.num_rows * args.width * element) : 0,
          with_dt ? align_16(column_sum_scratch(args.width) * element) : 0,
          hub_bytes<T>(args, kGradParts)};
}

template <typename T>
void launch_backward(const SoftmaxAggregateGradArgs& args, void* dt, void* workspace,
                     Stream stream) {
  using Acc = acc_t<T>;
  const GradSpace space = grad_space<T>(args, dt != nullptr);
  char* by_source = static_cast<char*>(workspace);
  char* by_slice = by_source + space.by_source;
  SoftmaxAggregateGradParams<T> params;
  fill_base(params, args, workspace == nullptr ? nullptr : by_slice + space.by_slice);
  params.grad = static_cast<const T*>(args.grad);
  params.grad_stride = args.grad_stride;
  params.y = static_cast<const T*>(args.y);
  params.log_sum = static_cast<const Acc*>(args.log_sum);
  params.dx = static_cast<T*>(args.dx);
  params.dt = dt == nullptr ? nullptr : reinterpret_cast<Acc*>(by_source);
  bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                 rows_aligned<T>(args.grad, args.grad_stride, args.width);
  for (const void* rows : {args.y, args.log_sum, static_cast<const void*>(args.dx)}) {
    aligned = aligned && rows_aligned<T>(rows, args.width, args.width);
  }
  if (args.csr.num_rows > 0) {
    aligned ? launch_both(softmax_aggregate_grad_kernel<T, true>,
                          softmax_aggregate_grad_hub_kernel<T, true>, params, stream)
            : launch_both(softmax_aggregate_grad_kernel<T, false>,
                          softmax_aggregate_grad_hub_kernel<T, false>, params, stream);
  }
  if (dt == nullptr) return;
  launch_column_sum(static_cast<const Acc*>(params.dt), args.csr.num_rows, args.width,
                    reinterpret_cast<Acc*>(by_slice), static_cast<Acc*>(dt), stream);
}

}  // namespace

int64_t softmax_aggregate_workspace(const SoftmaxAggregateArgs& args) {
  int64_t bytes = 0;
  dispatch_dtype(args.dtype, [&](auto type) {
    bytes = hub_bytes<typename decltype(type)::type>(args, kSoftmaxParts);
  });
  return bytes;
}

int64_t softmax_aggregate_grad_workspace(const SoftmaxAggregateGradArgs& args, bool with_dt) {
  int64_t bytes = 0;
  dispatch_dtype(args.dtype, [&](auto type) {
    const GradSpace space = grad_space<typename decltype(type)::type>(args, with_dt);
    bytes = space.by_source + space.by_slice + space.hubs;
  });
  return bytes;
}

Status softmax_aggregate_cuda(const SoftmaxAggregateArgs& args, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0 || args.width == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    launch_forward<typename decltype(type)::type>(args, workspace, stream);
  });
  return launch_status();
}

Status softmax_aggregate_grad_cuda(const SoftmaxAggregateGradArgs& args, void* dt, void* workspace,
                                   Stream stream) {
  if (args.width == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    launch_backward<typename decltype(type)::type>(args, dt, workspace, stream);
  });
  return launch_status();
}

}  // namespace sgnn

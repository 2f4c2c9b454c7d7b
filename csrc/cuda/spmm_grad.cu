// Launch of SpMM's gradients.
#include "sgnn/dispatch.h"
#include "sgnn/spmm_grad.h"
#include "spmm_grad.cuh"

namespace sgnn {
namespace {

template <typename T, typename Index>
SpmmGradParams<T, Index> make_params(const SpmmGradArgs& args, void* workspace) {
  using Acc = acc_t<T>;
  SpmmGradParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    static_cast<const Acc*>(args.target_scale), args.bits};
  params.shape = tile_shape<T>(args.width);
  params.split = make_split<T>(params.shape, args.csr.nnz, kSpmmGradWarps, workspace);
  params.width = args.width;
  params.g = static_cast<const T*>(args.g);
  params.g_stride = args.g_stride;
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.dx = static_cast<T*>(args.dx);
  params.d_edge = static_cast<Acc*>(args.d_edge);
  params.source_scale = static_cast<const Acc*>(args.source_scale);
  return params;
}

template <bool kAligned, typename T, typename Index>
Status launch_kernels(const SpmmGradParams<T, Index>& params, const CsrArg& csr, Stream stream) {
  const dim3 threads(kSpmmGradThreads);
  const int64_t row_blocks = ceil_div(csr.num_rows, kSpmmGradWarps);
  const auto kernel = spmm_grad_kernel<T, Index, kAligned>;
  const dim3 grid(static_cast<unsigned>(params.split.blocks + row_blocks));
  SGNN_LAUNCH(kernel, grid, threads, 0, stream, params);
  if (params.split.chunks > 0) {
    const auto hubs = spmm_grad_hub_kernel<T, Index, kAligned>;
    const int64_t tiles = params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY;
    const dim3 hub_grid(static_cast<unsigned>(params.split.blocks), static_cast<unsigned>(tiles));
    SGNN_LAUNCH(hubs, hub_grid, threads, 0, stream, params);
  }
  return launch_status();
}

template <typename T, typename Index>
Status launch_typed(const SpmmGradArgs& args, void* workspace, Stream stream) {
  const SpmmGradParams<T, Index> params = make_params<T, Index>(args, workspace);
  const bool aligned = rows_aligned<T>(args.g, args.g_stride, args.width) &&
                       rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.dx, args.width, args.width);
  return aligned ? launch_kernels<true>(params, args.csr, stream)
                 : launch_kernels<false>(params, args.csr, stream);
}

}  // namespace

int64_t spmm_grad_workspace(const SpmmGradArgs& args) {
  int64_t bytes = 0;
  if (args.csr.num_rows == 0) return bytes;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    bytes = split_workspace<T>(tile_shape<T>(args.width), args.csr.nnz);
  });
  return bytes;
}

Status spmm_grad_cuda(const SpmmGradArgs& args, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status = launch_typed<typename decltype(type)::type, typename decltype(index)::type>(
          args, workspace, stream);
    });
  });
  return status;
}

}  // namespace sgnn

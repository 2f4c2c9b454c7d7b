// Launches of max and min aggregation and of its gradients.
#include "sgnn/dispatch.h"
#include "sgnn/spmm_extreme.h"
#include "spmm_extreme.cuh"
#include "spmm_extreme_grad.cuh"

namespace sgnn {
namespace {

template <typename T, typename Index>
ExtremeParams<T, Index> make_params(const SpmmExtremeArgs& args, void* workspace) {
  using Acc = acc_t<T>;
  const int64_t chunks = workspace == nullptr ? 0 : chunk_count(args.csr.nnz);
  ExtremeParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    nullptr, args.bits};
  params.shape = tile_shape<T>(args.width);
  params.width = args.width;
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.y = static_cast<T*>(args.y);
  params.arg = static_cast<Index*>(args.arg);
  params.sign = args.smallest ? Acc(-1) : Acc(1);
  params.split = {chunk_edges(args.csr.nnz), chunks, ceil_div(chunks, kExtremeWarps), nullptr,
                  nullptr};
  params.best = static_cast<Best<Index, Acc>*>(workspace);
  return params;
}

template <bool kAligned, typename T, typename Index>
Status launch_kernels(const ExtremeParams<T, Index>& params, Stream stream) {
  const dim3 threads(kExtremeThreads);
  const unsigned tiles =
      static_cast<unsigned>(params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY);
  const int64_t row_blocks = ceil_div(params.csr.num_rows, kExtremeWarps);
  const dim3 grid(static_cast<unsigned>(params.split.blocks + row_blocks), tiles);
  const auto kernel = spmm_extreme_kernel<T, Index, kAligned>;
  SGNN_LAUNCH(kernel, grid, threads, 0, stream, params);
  if (params.split.chunks > 0) {
    const dim3 hub_grid(static_cast<unsigned>(params.split.blocks), tiles);
    const auto hubs = spmm_extreme_hub_kernel<T, Index, kAligned>;
    SGNN_LAUNCH(hubs, hub_grid, threads, 0, stream, params);
  }
  return launch_status();
}

template <typename T, typename Index>
Status launch_typed(const SpmmExtremeArgs& args, void* workspace, Stream stream) {
  const ExtremeParams<T, Index> params = make_params<T, Index>(args, workspace);
  const bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.y, args.width, args.width);
  return aligned ? launch_kernels<true>(params, stream) : launch_kernels<false>(params, stream);
}

template <typename T, typename Index>
Status launch_grad(const SpmmExtremeGradArgs& args, Stream stream) {
  using Acc = acc_t<T>;
  ExtremeGradParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    nullptr, nullptr};
  params.shape = tile_shape<T>(args.width);
  params.width = args.width;
  params.g = static_cast<const T*>(args.g);
  params.g_stride = args.g_stride;
  params.arg = static_cast<const Index*>(args.arg);
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.dx = static_cast<T*>(args.dx);
  params.d_edge = static_cast<Acc*>(args.d_edge);
  const bool aligned = rows_aligned<T>(args.g, args.g_stride, args.width) &&
                       rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.dx, args.width, args.width);
  const auto kernel = aligned ? spmm_extreme_grad_kernel<T, Index, true>
                              : spmm_extreme_grad_kernel<T, Index, false>;
  const dim3 grid(static_cast<unsigned>(ceil_div(args.csr.num_rows, kExtremeGradWarps)));
  SGNN_LAUNCH(kernel, grid, dim3(kExtremeGradThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

int64_t spmm_extreme_workspace(const SpmmExtremeArgs& args) {
  int64_t bytes = 0;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      using Each = Best<typename decltype(index)::type, acc_t<T>>;
      const TileShape shape = tile_shape<T>(args.width);
      bytes = chunk_count(args.csr.nnz) * shape.tiles * shape.lanes * kItems<T> *
              static_cast<int64_t>(sizeof(Each));
    });
  });
  return bytes;
}

Status spmm_extreme_cuda(const SpmmExtremeArgs& args, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0 || args.width == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status = launch_typed<typename decltype(type)::type, typename decltype(index)::type>(
          args, workspace, stream);
    });
  });
  return status;
}

Status spmm_extreme_grad_cuda(const SpmmExtremeGradArgs& args, Stream stream) {
  if (args.csr.num_rows == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status =
          launch_grad<typename decltype(type)::type, typename decltype(index)::type>(args, stream);
    });
  });
  return status;
}

}  // namespace sgnn

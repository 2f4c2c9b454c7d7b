// Launches of SpMM.
#include "sgnn/dispatch.h"
#include "spmm.cuh"
#include "spmm_launch.h"

namespace sgnn {
namespace {

template <typename T, typename Index>
SpmmParams<T, Index> make_params(const SpmmArgs& args, const void* row_bias, void* workspace) {
  using Acc = acc_t<T>;
  SpmmParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    static_cast<const Acc*>(args.col_scale), args.bits};
  params.shape = tile_shape<T>(args.width);
  params.split = make_split<T>(params.shape, args.csr.nnz, kSpmmWarps, workspace);
  params.width = args.width;
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.y = args.y;
  params.out = args.out_dtype;
  params.row_scale = static_cast<const Acc*>(args.row_scale);
  params.bias = static_cast<const Acc*>(args.bias);
  params.row_bias = static_cast<const Acc*>(row_bias);
  params.mean = args.mean;
  params.relu = args.relu;
  params.residual = args.residual;
  params.residual_stride = args.residual_stride;
  params.dropout_threshold = args.dropout_threshold;
  params.dropout_scale = dropout_scale<Acc>(args.dropout_threshold);
  params.seed = args.seed;
  return params;
}

// Whether rows are short on average: too short to fill one step of a whole warp.
template <bool kAligned>
bool rows_are_short(const CsrArg& csr, const TileShape& shape) {
  const int64_t step = int64_t{kSpmmSteps<kAligned>} * (kWarpSize / shape.lanes);
  const int64_t most = step < kShortRow / 2 ? step : kShortRow / 2;
  return shape.lanes < kWarpSize && csr.nnz / csr.num_rows < most;
}

template <bool kAligned, typename T, typename Index>
Status launch_kernels(const SpmmParams<T, Index>& params, const CsrArg& csr, Stream stream) {
  const dim3 threads(kSpmmThreads);
  const bool grouped = rows_are_short<kAligned>(csr, params.shape);
  const int64_t rows_per_warp = grouped ? kWarpSize / params.shape.lanes : 1;
  const int64_t row_blocks = ceil_div(csr.num_rows, kSpmmWarps * rows_per_warp);
  const unsigned tiles =
      static_cast<unsigned>(params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY);
  const dim3 grid(static_cast<unsigned>(params.split.blocks + row_blocks), tiles);
  const auto kernel =
      grouped ? spmm_short_kernel<T, Index, kAligned> : spmm_kernel<T, Index, kAligned>;
  SGNN_LAUNCH(kernel, grid, threads, 0, stream, params);
  if (params.split.chunks > 0) {
    const auto hubs = spmm_hub_kernel<T, Index, kAligned>;
    const dim3 hub_grid(static_cast<unsigned>(params.split.blocks), tiles);
    SGNN_LAUNCH(hubs, hub_grid, threads, 0, stream, params);
  }
  return launch_status();
}

template <typename T, typename Index>
Status launch_typed(const SpmmArgs& args, const void* row_bias, void* workspace, Stream stream) {
  const SpmmParams<T, Index> params = make_params<T, Index>(args, row_bias, workspace);
  const bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.y, args.width, args.width);
  return aligned ? launch_kernels<true>(params, args.csr, stream)
                 : launch_kernels<false>(params, args.csr, stream);
}

}  // namespace

int64_t spmm_workspace(const SpmmArgs& args) {
  int64_t bytes = 0;
  if (args.csr.num_rows == 0) return bytes;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    bytes = split_workspace<T>(tile_shape<T>(args.width), args.csr.nnz);
  });
  return bytes;
}

Status launch_spmm(const SpmmArgs& args, const void* row_bias, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0 || args.width == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status = launch_typed<typename decltype(type)::type, typename decltype(index)::type>(
          args, row_bias, workspace, stream);
    });
  });
  return status;
}

Status spmm_cuda(const SpmmArgs& args, void* workspace, Stream stream) {
  return launch_spmm(args, nullptr, workspace, stream);
}

}  // namespace sgnn

// Launch of the row-split SpMM.
#include "sgnn/dispatch.h"
#include "spmm.cuh"
#include "spmm_launch.h"

namespace sgnn {
namespace {

template <typename T, typename Index>
SpmmParams<T, Index> make_params(const SpmmArgs& args, const void* row_bias) {
  using Acc = acc_t<T>;
  SpmmParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    static_cast<const Acc*>(args.col_scale), args.bits};
  params.shape = tile_shape<T>(args.width);
  params.width = args.width;
  params.x = static_cast<const T*>(args.x);
  params.x_stride = args.x_stride;
  params.y = static_cast<T*>(args.y);
  params.row_scale = static_cast<const Acc*>(args.row_scale);
  params.bias = static_cast<const Acc*>(args.bias);
  params.row_bias = static_cast<const Acc*>(row_bias);
  params.mean = args.mean;
  params.relu = args.relu;
  return params;
}

template <typename T, typename Index>
Status launch_typed(const SpmmArgs& args, const void* row_bias, Stream stream) {
  const SpmmParams<T, Index> params = make_params<T, Index>(args, row_bias);
  const bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.y, args.width, args.width);
  const auto kernel = aligned ? spmm_kernel<T, Index, true> : spmm_kernel<T, Index, false>;
  const int64_t tiles = params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY;
  const dim3 grid(static_cast<unsigned>(ceil_div(args.csr.num_rows, kSpmmWarps)),
                  static_cast<unsigned>(tiles));
  SGNN_LAUNCH(kernel, grid, dim3(kSpmmThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

Status launch_spmm(const SpmmArgs& args, const void* row_bias, Stream stream) {
  if (args.csr.num_rows == 0 || args.width == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status = launch_typed<typename decltype(type)::type, typename decltype(index)::type>(
          args, row_bias, stream);
    });
  });
  return status;
}

Status spmm_cuda(const SpmmArgs& args, Stream stream) {
  if (args.residual != nullptr || args.dropout_threshold != kKeepAll ||
      args.out_dtype != args.dtype) {
    return "spmm with residual, dropout or out_dtype runs on the CPU only";
  }
  return launch_spmm(args, nullptr, stream);
}

}  // namespace sgnn

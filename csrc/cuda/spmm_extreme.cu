// Launches of max and min aggregation and of its gradients.
#include "sgnn/dispatch.h"
#include "sgnn/spmm_extreme.h"
#include "spmm_extreme.cuh"
#include "spmm_extreme_grad.cuh"

namespace sgnn {
namespace {

template <typename T, typename Index>
ExtremeParams<T, Index> make_params(const SpmmExtremeArgs& args) {
  using Acc = acc_t<T>;
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
  return params;
}

template <typename T, typename Index>
Status launch_typed(const SpmmExtremeArgs& args, Stream stream) {
  const ExtremeParams<T, Index> params = make_params<T, Index>(args);
  const bool aligned = rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.y, args.width, args.width);
  const auto kernel =
      aligned ? spmm_extreme_kernel<T, Index, true> : spmm_extreme_kernel<T, Index, false>;
  const int64_t tiles = params.shape.tiles < kMaxGridY ? params.shape.tiles : kMaxGridY;
  const dim3 grid(static_cast<unsigned>(ceil_div(args.csr.num_rows, kExtremeWarps)),
                  static_cast<unsigned>(tiles));
  SGNN_LAUNCH(kernel, grid, dim3(kExtremeThreads), 0, stream, params);
  return launch_status();
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

Status spmm_extreme_cuda(const SpmmExtremeArgs& args, Stream stream) {
  if (args.csr.num_rows == 0 || args.width == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status =
          launch_typed<typename decltype(type)::type, typename decltype(index)::type>(args, stream);
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

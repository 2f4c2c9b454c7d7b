// Launch of SpMM's gradients.
#include "sgnn/dispatch.h"
#include "sgnn/spmm_grad.h"
#include "spmm_grad.cuh"

namespace sgnn {
namespace {

template <typename T, typename Index>
SpmmGradParams<T, Index> make_params(const SpmmGradArgs& args) {
  using Acc = acc_t<T>;
  SpmmGradParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.weight), static_cast<const Acc*>(args.mask),
                    static_cast<const Acc*>(args.target_scale), args.bits};
  params.shape = tile_shape<T>(args.width);
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

template <typename T, typename Index>
Status launch_typed(const SpmmGradArgs& args, Stream stream) {
  const SpmmGradParams<T, Index> params = make_params<T, Index>(args);
  const bool aligned = rows_aligned<T>(args.g, args.g_stride, args.width) &&
                       rows_aligned<T>(args.x, args.x_stride, args.width) &&
                       rows_aligned<T>(args.dx, args.width, args.width);
  const auto kernel =
      aligned ? spmm_grad_kernel<T, Index, true> : spmm_grad_kernel<T, Index, false>;
  const dim3 grid(static_cast<unsigned>(ceil_div(args.csr.num_rows, kSpmmGradWarps)));
  SGNN_LAUNCH(kernel, grid, dim3(kSpmmGradThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

Status spmm_grad_cuda(const SpmmGradArgs& args, Stream stream) {
  if (args.csr.num_rows == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      status =
          launch_typed<typename decltype(type)::type, typename decltype(index)::type>(args, stream);
    });
  });
  return status;
}

}  // namespace sgnn

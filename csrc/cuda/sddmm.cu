// Launch of the edge-parallel SDDMM.
#include "sddmm.cuh"
#include "sgnn/dispatch.h"
#include "sgnn/sddmm.h"

namespace sgnn {
namespace {

// Keeps the work of a warp near 32 tiles: fewer edges when a dot product is long, so that few long
// ones still fill the device.
int64_t edges_per_warp(int64_t tiles) {
  constexpr int64_t kMinimum = 4;
  if (tiles <= 1) return kWarpSize;
  return kWarpSize / tiles > kMinimum ? kWarpSize / tiles : kMinimum;
}

template <typename T, typename Index>
SddmmParams<T, Index> make_params(const SddmmArgs& args) {
  using Acc = acc_t<T>;
  SddmmParams<T, Index> params;
  params.csr = view_csr<Index>(args.csr);
  params.factors = {static_cast<const Acc*>(args.coef), nullptr,
                    static_cast<const Acc*>(args.col_scale), args.bits};
  params.row_scale = static_cast<const Acc*>(args.row_scale);
  params.shape = tile_shape<T>(args.width);
  params.width = args.width;
  params.a = static_cast<const T*>(args.a);
  params.a_stride = args.a_stride;
  params.b = static_cast<const T*>(args.b);
  params.b_stride = args.b_stride;
  params.out = static_cast<Acc*>(args.out);
  params.edges_per_warp = edges_per_warp(params.shape.tiles);
  return params;
}

template <typename T, typename Index>
Status launch_typed(const SddmmArgs& args, Stream stream) {
  const SddmmParams<T, Index> params = make_params<T, Index>(args);
  const bool aligned = rows_aligned<T>(args.a, args.a_stride, args.width) &&
                       rows_aligned<T>(args.b, args.b_stride, args.width);
  const auto kernel = aligned ? sddmm_kernel<T, Index, true> : sddmm_kernel<T, Index, false>;
  const int64_t warps = ceil_div(args.csr.nnz, params.edges_per_warp);
  const dim3 grid(static_cast<unsigned>(ceil_div(warps, kSddmmWarps)));
  SGNN_LAUNCH(kernel, grid, dim3(kSddmmThreads), 0, stream, params);
  return launch_status();
}

}  // namespace

Status sddmm_cuda(const SddmmArgs& args, Stream stream) {
  if (args.csr.nnz == 0) return nullptr;
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

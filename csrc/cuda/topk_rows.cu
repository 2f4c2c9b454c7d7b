// Launch of the top-k of rows.
#include "sgnn/dispatch.h"
#include "sgnn/topk_rows.h"
#include "topk_rows.cuh"

namespace sgnn {
namespace {

template <typename T, typename Id, int kSteps>
Status launch_typed(const TopkRowsArgs& args, Stream stream) {
  const TopkRowsParams<T, Id> params{args.num_rows,
                                     args.width,
                                     args.k,
                                     args.magnitude,
                                     static_cast<const T*>(args.x),
                                     args.x_stride,
                                     static_cast<T*>(args.values),
                                     static_cast<Id*>(args.ids)};
  const dim3 grid(static_cast<unsigned>(ceil_div(args.num_rows, kTopkRowsWarps)));
  const auto kernel = topk_rows_kernel<T, Id, kSteps>;
  SGNN_LAUNCH(kernel, grid, dim3(kTopkRowsThreads), 0, stream, params);
  return launch_status();
}

template <typename T>
Status launch(const TopkRowsArgs& args, Stream stream) {
  if (args.width <= 8 * kWarpSize) return launch_typed<T, uint8_t, 8>(args, stream);
  if (args.width <= 32 * kWarpSize) return launch_typed<T, int16_t, 32>(args, stream);
  if (id_type_for(args.width) == IdType::kInt16) return launch_typed<T, int16_t, 0>(args, stream);
  return launch_typed<T, int32_t, 0>(args, stream);
}

}  // namespace

Status topk_rows_cuda(const TopkRowsArgs& args, Stream stream) {
  if (args.num_rows == 0 || args.k == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype,
                 [&](auto type) { status = launch<typename decltype(type)::type>(args, stream); });
  return status;
}

}  // namespace sgnn

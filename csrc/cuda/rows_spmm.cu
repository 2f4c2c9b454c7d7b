// Launches of the products with sparse rows.
#include "rows_spmm.cuh"
#include "sgnn/rows_spmm.h"

namespace sgnn {
namespace {

// Lanes that load one sparse row.
int lanes_of(const RowsArg& x) {
  if (x.rowptr != nullptr) return kWarpSize;
  int lanes = 1;
  while (lanes < kWarpSize && lanes < x.k) lanes *= 2;
  return lanes;
}

template <typename T, typename Id>
RowsSpmmParams<T, Id> make_params(const RowsSpmmArgs& args, bool with_weight) {
  using Acc = acc_t<T>;
  RowsSpmmParams<T, Id> params;
  params.csr = any_csr(args.csr);
  params.factors = {with_weight ? static_cast<const Acc*>(args.weight) : nullptr, nullptr,
                    static_cast<const Acc*>(args.col_scale), args.bits};
  params.row_scale = static_cast<const Acc*>(args.row_scale);
  params.x = view_rows<Id>(args.x);
  params.x_values = static_cast<const T*>(args.x.values);
  params.lanes = lanes_of(args.x);
  params.y = static_cast<T*>(args.y);
  params.g = static_cast<const T*>(args.g);
  params.g_stride = args.g_stride;
  params.edges = static_cast<Acc*>(args.edges);
  params.values = static_cast<T*>(args.values);
  // Few long rows leave most of a GPU idle: then a block works on each.
  constexpr int64_t kLongRow = 256;
  params.split = args.csr.nnz > kLongRow * args.csr.num_rows ? kRowsWarps : 1;
  return params;
}

template <typename Fn>
Status dispatch(const RowsSpmmArgs& args, Fn&& fn) {
  dispatch_dtype(args.dtype,
                 [&](auto type) { dispatch_ids(args.x.id_type, [&](auto id) { fn(type, id); }); });
  return launch_status();
}

dim3 blocks_for(int64_t warps) { return dim3(static_cast<unsigned>(ceil_div(warps, kRowsWarps))); }

}  // namespace

Status rows_spmm_cuda(const RowsSpmmArgs& args, Stream stream) {
  if (args.csr.num_rows == 0 || args.x.num_cols == 0) return nullptr;
  return dispatch(args, [&](auto type, auto id) {
    using T = typename decltype(type)::type;
    using Id = typename decltype(id)::type;
    const RowsSpmmParams<T, Id> params = make_params<T, Id>(args, true);
    const int64_t tiles = ceil_div(args.x.num_cols, kRowsTile);
    dim3 grid = blocks_for(args.csr.num_rows);
    grid.y = static_cast<unsigned>(tiles < kMaxGridY ? tiles : kMaxGridY);
    const auto kernel = rows_spmm_kernel<T, Id>;
    SGNN_LAUNCH(kernel, grid, dim3(kRowsThreads), 0, stream, params);
  });
}

Status rows_spmm_edges_cuda(const RowsSpmmArgs& args, Stream stream) {
  if (args.csr.nnz == 0) return nullptr;
  return dispatch(args, [&](auto type, auto id) {
    using T = typename decltype(type)::type;
    using Id = typename decltype(id)::type;
    const RowsSpmmParams<T, Id> params = make_params<T, Id>(args, false);
    const auto kernel = rows_spmm_edges_kernel<T, Id>;
    SGNN_LAUNCH(kernel, blocks_for(ceil_div(args.csr.nnz, kWarpSize)), dim3(kRowsThreads), 0,
                stream, params);
  });
}

Status rows_spmm_values_cuda(const RowsSpmmArgs& args, Stream stream) {
  if (args.x.nnz == 0) return nullptr;
  return dispatch(args, [&](auto type, auto id) {
    using T = typename decltype(type)::type;
    using Id = typename decltype(id)::type;
    const RowsSpmmParams<T, Id> params = make_params<T, Id>(args, true);
    const auto kernel = rows_spmm_values_kernel<T, Id>;
    SGNN_LAUNCH(kernel, blocks_for(args.csr.num_rows * params.split), dim3(kRowsThreads), 0, stream,
                params);
  });
}

}  // namespace sgnn

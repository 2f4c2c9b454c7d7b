// Launches of the sparse products with a sparse result.
#include "sgnn/dispatch.h"
#include "spgemm.cuh"

namespace sgnn {
namespace {

SpgemmParams make_params(const SpgemmArgs& args) {
  return {any_csr(args.a), any_csr(args.b), any_csr(args.c), args.b.num_cols,
          args.a_values,   args.b_values,   args.g};
}

dim3 blocks_of(int64_t warps) { return dim3(static_cast<unsigned>(ceil_div(warps, kSpgemmWarps))); }

template <typename Fn>
Status launch(const SpgemmArgs& args, int64_t warps, Fn&& fn) {
  if (warps == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) { fn(type); });
  return launch_status();
}

}  // namespace

Status spgemm_sizes_cuda(const SpgemmArgs& args, int64_t* sizes, Stream stream) {
  if (args.a.num_rows == 0) return nullptr;
  const auto kernel = spgemm_pattern_kernel<false, int64_t>;
  SGNN_LAUNCH(kernel, blocks_of(args.a.num_rows), dim3(kSpgemmThreads), 0, stream,
              make_params(args), sizes);
  return launch_status();
}

Status spgemm_columns_cuda(const SpgemmArgs& args, void* col, Stream stream) {
  if (args.a.num_rows == 0) return nullptr;
  dispatch_index(args.c.index_type, [&](auto index) {
    using Index = typename decltype(index)::type;
    const auto kernel = spgemm_pattern_kernel<true, Index>;
    SGNN_LAUNCH(kernel, blocks_of(args.a.num_rows), dim3(kSpgemmThreads), 0, stream,
                make_params(args), static_cast<Index*>(col));
  });
  return launch_status();
}

Status spgemm_values_cuda(const SpgemmArgs& args, void* c_values, Stream stream) {
  return launch(args, args.a.num_rows, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto kernel = spgemm_values_kernel<T>;
    SGNN_LAUNCH(kernel, blocks_of(args.a.num_rows), dim3(kSpgemmThreads), 0, stream,
                make_params(args), static_cast<T*>(c_values));
  });
}

Status spgemm_grad_a_cuda(const SpgemmArgs& args, void* da, Stream stream) {
  return launch(args, args.a.nnz, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto kernel = spgemm_grad_a_kernel<T>;
    SGNN_LAUNCH(kernel, blocks_of(args.a.nnz), dim3(kSpgemmThreads), 0, stream, make_params(args),
                static_cast<acc_t<T>*>(da));
  });
}

Status spgemm_grad_b_cuda(const SpgemmArgs& args, const CsrArg& a_transposed, void* db,
                          Stream stream) {
  return launch(args, args.b.nnz, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto kernel = spgemm_grad_b_kernel<T>;
    SGNN_LAUNCH(kernel, blocks_of(args.b.nnz), dim3(kSpgemmThreads), 0, stream, make_params(args),
                any_csr(a_transposed), static_cast<T*>(db));
  });
}

}  // namespace sgnn

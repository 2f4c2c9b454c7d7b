// Launches of the block-sparse linear layer.
#include "block_linear.cuh"
#include "sgnn/block_linear.h"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

constexpr int64_t kGradBlocks = 2048;         // thread blocks that fill a large device
constexpr int64_t kFewestChunkSamples = 512;  // below, the second pass costs more than it brings

template <int kSize>
struct SizeTag {
  static constexpr int value = kSize;
};

template <typename Fn>
void dispatch_size(int64_t block, Fn&& fn) {
  if (block == 16) return fn(SizeTag<16>{});
  if (block == 32) return fn(SizeTag<32>{});
  fn(SizeTag<64>{});
}

int64_t grad_chunks(const BlockLinearGradArgs& args) {
  const int64_t wanted = ceil_div(kGradBlocks, args.csr.nnz > 0 ? args.csr.nnz : 1);
  const int64_t most = ceil_div(args.num_samples, kFewestChunkSamples);
  const int64_t chunks = wanted < most ? wanted : most;
  return chunks > 1 ? chunks : 1;
}

template <typename T, typename Index, int kSize>
Status launch_forward(const BlockLinearArgs& args, Stream stream) {
  using Acc = acc_t<T>;
  const BlockLinearParams<T, Index> params = {view_csr<Index>(args.csr),
                                              args.transposed,
                                              args.num_samples,
                                              static_cast<const T*>(args.x),
                                              static_cast<const Acc*>(args.values),
                                              static_cast<const Acc*>(args.bias),
                                              static_cast<T*>(args.y)};
  const int64_t rows = args.csr.num_rows;
  const dim3 grid(static_cast<unsigned>(ceil_div(args.num_samples, kBlockSamples)),
                  static_cast<unsigned>(rows < kMaxGridY ? rows : kMaxGridY));
  const auto kernel = block_linear_kernel<T, Index, kSize>;
  SGNN_LAUNCH(kernel, grid, dim3(kBlockThreads), 0, stream, params);
  return launch_status();
}

template <typename T, typename Index, int kSize>
Status launch_grad(const BlockLinearGradArgs& args, void* workspace, Stream stream) {
  using Acc = acc_t<T>;
  const int64_t chunks = grad_chunks(args);
  Acc* sums = static_cast<Acc*>(workspace);
  const BlockGradParams<T, Index> params = {
      view_csr<Index>(args.csr),          args.num_samples,
      ceil_div(args.num_samples, chunks), static_cast<const T*>(args.g),
      static_cast<const T*>(args.x),      sums};
  const unsigned blocks = static_cast<unsigned>(args.csr.nnz);
  const auto kernel = block_linear_grad_kernel<T, Index, kSize>;
  const dim3 grid(blocks, static_cast<unsigned>(chunks));
  SGNN_LAUNCH(kernel, grid, dim3(kBlockThreads), 0, stream, params);
  const Status status = launch_status();
  if (status != nullptr) return status;
  const auto add = block_linear_sum_kernel<Acc, Index>;
  SGNN_LAUNCH(add, dim3(blocks), dim3(kBlockThreads), 0, stream, params.csr,
              static_cast<int64_t>(kSize) * kSize, chunks, static_cast<const Acc*>(sums),
              static_cast<Acc*>(args.out));
  return launch_status();
}

}  // namespace

int64_t block_linear_grad_workspace(const BlockLinearGradArgs& args) {
  const int64_t bytes = args.dtype == DType::kFloat64 ? 8 : 4;
  return grad_chunks(args) * args.csr.nnz * args.block * args.block * bytes;
}

Status block_linear_cuda(const BlockLinearArgs& args, Stream stream) {
  if (args.num_samples == 0 || args.csr.num_rows == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      dispatch_size(args.block, [&](auto size) {
        status = launch_forward<typename decltype(type)::type, typename decltype(index)::type,
                                decltype(size)::value>(args, stream);
      });
    });
  });
  return status;
}

Status block_linear_grad_cuda(const BlockLinearGradArgs& args, void* workspace, Stream stream) {
  if (args.csr.nnz == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) {
      dispatch_size(args.block, [&](auto size) {
        status = launch_grad<typename decltype(type)::type, typename decltype(index)::type,
                             decltype(size)::value>(args, workspace, stream);
      });
    });
  });
  return status;
}

}  // namespace sgnn

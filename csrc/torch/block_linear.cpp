#include "sgnn/block_linear.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kSampleBlock = 64;  // a multiple of every panel height

void check_block(int64_t block) {
  SGNN_CHECK(is_block_size(block),
             "block must be 16, 32 or 64, got " + std::to_string(block) + ".");
}

void check_columns(const Tensor& tensor, int64_t columns, const char* name) {
  check_dim(tensor, 2, name);
  SGNN_CHECK(tensor.size(1) == columns, std::string(name) + " must have " +
                                            std::to_string(columns) + " columns, got shape " +
                                            shape_text(tensor) + ".");
}

struct BlockCall {
  Tensor x;
  Tensor y;
  BlockLinearArgs args;
};

BlockCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                  const Tensor& t_rowptr, const Tensor& x, const Tensor& values,
                  const OptionalTensor& bias, bool transposed) {
  check_dim(values, 3, "values");
  const int64_t block = values.size(1);
  check_block(block);
  const int64_t block_cols = rows_of(t_rowptr, "t_rowptr");
  check_device(x, rowptr, "x");
  check_columns(x, block_cols * block, "x");
  BlockCall call{torch::stable::contiguous(x), x, {}};
  BlockLinearArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, block_cols);
  args.dtype = float_type(x, "x");
  args.block = block;
  args.transposed = transposed;
  args.num_samples = x.size(0);
  args.x = call.x.const_data_ptr();
  check_device(values, rowptr, "values");
  check_dtype(values, acc_scalar_type(args.dtype), "values");
  SGNN_CHECK(values.size(0) == args.csr.nnz && values.size(2) == block && values.is_contiguous(),
             "values must be contiguous of shape [" + std::to_string(args.csr.nnz) +
                 ", b, b], got " + shape_text(values) + ".");
  args.values = values.const_data_ptr();
  args.bias = optional_vector(bias, args.csr.num_rows * block, args.dtype, rowptr, "bias");
  call.y = torch::stable::new_empty(x, {args.num_samples, args.csr.num_rows * block});
  args.y = call.y.mutable_data_ptr();
  return call;
}

Tensor block_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                    OptionalTensor, Tensor x, Tensor values, OptionalTensor bias, bool transposed) {
  const BlockCall call = prepare(rowptr, col, edge_id, t_rowptr, x, values, bias, transposed);
  advise_huge_pages(call.y);
  const int64_t work = values.numel() + call.y.size(1) + x.size(1);
  for_each_block(call.args.num_samples, kSampleBlock, work,
                 [&](int64_t begin, int64_t end) { block_linear_cpu(call.args, begin, end); });
  return call.y;
}

Tensor block_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                     OptionalTensor, Tensor x, Tensor values, OptionalTensor bias,
                     bool transposed) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const BlockCall call = prepare(rowptr, col, edge_id, t_rowptr, x, values, bias, transposed);
  check_launch(block_linear_cuda(call.args, current_stream(rowptr)));
  return call.y;
}

struct BlockGradCall {
  Tensor g;
  Tensor x;
  Tensor out;
  BlockLinearGradArgs args;
};

BlockGradCall prepare_grad(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                           const Tensor& t_rowptr, const Tensor& g, const Tensor& x,
                           int64_t block) {
  check_block(block);
  const int64_t block_cols = rows_of(t_rowptr, "t_rowptr");
  check_device(g, rowptr, "g");
  check_device(x, rowptr, "x");
  check_columns(g, rows_of(rowptr, "rowptr") * block, "g");
  check_columns(x, block_cols * block, "x");
  check_dtype(g, x.scalar_type(), "g");
  SGNN_CHECK(g.size(0) == x.size(0), "g must have " + std::to_string(x.size(0)) +
                                         " rows as x has, got shape " + shape_text(g) + ".");
  BlockGradCall call{torch::stable::contiguous(g), torch::stable::contiguous(x), g, {}};
  BlockLinearGradArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, block_cols);
  args.dtype = float_type(x, "x");
  args.block = block;
  args.num_samples = x.size(0);
  args.g = call.g.const_data_ptr();
  args.x = call.x.const_data_ptr();
  call.out = torch::stable::new_empty(x, {args.csr.nnz, block, block}, acc_scalar_type(args.dtype));
  args.out = call.out.mutable_data_ptr();
  return call;
}

Tensor grad_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                   OptionalTensor, Tensor g, Tensor x, int64_t block) {
  const BlockGradCall call = prepare_grad(rowptr, col, edge_id, t_rowptr, g, x, block);
  const CsrArg& csr = call.args.csr;
  if (csr.nnz == 0) return call.out;
  const int64_t samples = call.args.num_samples;
  const int64_t entries = csr.nnz * block * block;
  const int64_t chunks = block_linear_grad_chunks(call.args);
  const Tensor sums = torch::stable::new_empty(call.out, {chunks, entries});
  char* first = static_cast<char*>(sums.mutable_data_ptr());
  const int64_t threads = torch::stable::get_num_threads();
  const bool serial = threads == 1 || entries * samples < kSerialWork;
  const int64_t ranges = serial ? 1 : (threads + chunks - 1) / chunks;
  for_each_part(chunks * ranges, serial ? 1 : threads, [&](int64_t part) {
    const int64_t chunk = part / ranges;
    BlockGradPart share;
    share.sample_begin = block_bound(samples, kSampleBlock, chunks, chunk);
    share.sample_end = block_bound(samples, kSampleBlock, chunks, chunk + 1);
    share.row_begin = row_of_part(csr, ranges, part % ranges);
    share.row_end = row_of_part(csr, ranges, part % ranges + 1);
    share.sums = first + chunk * entries * acc_size(call.args.dtype);
    block_linear_grad_cpu(call.args, share);
  });
  for_each_block(csr.nnz, 1, chunks * block * block, [&](int64_t begin, int64_t end) {
    block_linear_grad_sum_cpu(call.args, first, chunks, begin, end);
  });
  return call.out;
}

Tensor grad_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                    OptionalTensor, Tensor g, Tensor x, int64_t block) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const BlockGradCall call = prepare_grad(rowptr, col, edge_id, t_rowptr, g, x, block);
  const Tensor workspace = workspace_like(x, block_linear_grad_workspace(call.args));
  check_launch(
      block_linear_grad_cuda(call.args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  return call.out;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("block_linear", TORCH_BOX(&sgnn::binding::block_on_cpu));
  m.impl("block_linear_grad", TORCH_BOX(&sgnn::binding::grad_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("block_linear", TORCH_BOX(&sgnn::binding::block_on_cuda));
  m.impl("block_linear_grad", TORCH_BOX(&sgnn::binding::grad_on_cuda));
}

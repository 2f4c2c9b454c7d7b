#include "sgnn/sparse_linear.h"

#include <torch/csrc/stable/library.h>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kSampleBlock = 64;  // a multiple of every panel height
constexpr int64_t kSumBlock = 4096;

struct LinearCall {
  Tensor x;
  Tensor y;
  SparseLinearArgs args;
};

LinearCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                   const Tensor& t_rowptr, const Tensor& x, const Tensor& values,
                   const OptionalTensor& bias) {
  const int64_t in_features = rows_of(t_rowptr, "t_rowptr");
  check_dim(x, 2, "x");
  check_device(x, rowptr, "x");
  SGNN_CHECK(x.size(1) == in_features, "x must have " + std::to_string(in_features) +
                                           " columns, got shape " + shape_text(x) + ".");
  LinearCall call{torch::stable::contiguous(x), x, {}};
  SparseLinearArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, in_features);
  args.dtype = float_type(x, "x");
  args.num_samples = x.size(0);
  args.x = call.x.const_data_ptr();
  check_vector(values, args.csr.nnz, acc_scalar_type(args.dtype), rowptr, "values");
  args.values = values.const_data_ptr();
  args.bias = optional_vector(bias, args.csr.num_rows, args.dtype, rowptr, "bias");
  call.y = torch::stable::new_empty(x, {args.num_samples, args.csr.num_rows});
  args.y = call.y.mutable_data_ptr();
  return call;
}

Tensor linear_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                     OptionalTensor, Tensor x, Tensor values, OptionalTensor bias) {
  const LinearCall call = prepare(rowptr, col, edge_id, t_rowptr, x, values, bias);
  advise_huge_pages(call.y);
  const CsrArg& csr = call.args.csr;
  const int64_t work = csr.nnz + csr.num_rows + csr.num_cols;
  const Tensor packed = workspace_like(x, sparse_linear_packed_bytes(csr, call.args.dtype));
  sparse_linear_pack(call.args, packed.mutable_data_ptr());
  for_each_block(call.args.num_samples, kSampleBlock, work, [&](int64_t begin, int64_t end) {
    sparse_linear_cpu(call.args, packed.const_data_ptr(), begin, end);
  });
  return call.y;
}

Tensor linear_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                      OptionalTensor, Tensor x, Tensor values, OptionalTensor bias) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const LinearCall call = prepare(rowptr, col, edge_id, t_rowptr, x, values, bias);
  const Tensor workspace = workspace_like(x, sparse_linear_workspace(call.args));
  check_launch(sparse_linear_cuda(call.args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  return call.y;
}

struct GradCall {
  Tensor g;
  Tensor x;
  Tensor out;
  SparseLinearGradArgs args;
};

GradCall prepare_grad(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                      const Tensor& t_rowptr, const Tensor& g, const Tensor& x) {
  const int64_t in_features = rows_of(t_rowptr, "t_rowptr");
  const int64_t out_features = rows_of(rowptr, "rowptr");
  check_dim(g, 2, "g");
  check_dim(x, 2, "x");
  check_device(g, rowptr, "g");
  check_device(x, rowptr, "x");
  check_dtype(g, x.scalar_type(), "g");
  SGNN_CHECK(x.size(1) == in_features, "x must have " + std::to_string(in_features) +
                                           " columns, got shape " + shape_text(x) + ".");
  SGNN_CHECK(g.size(0) == x.size(0) && g.size(1) == out_features,
             "g must have shape [" + std::to_string(x.size(0)) + ", " +
                 std::to_string(out_features) + "], got " + shape_text(g) + ".");
  GradCall call{torch::stable::contiguous(g), torch::stable::contiguous(x), g, {}};
  SparseLinearGradArgs& args = call.args;
  args.csr = csr_arg(rowptr, col, edge_id, in_features);
  args.dtype = float_type(x, "x");
  args.num_samples = x.size(0);
  args.g = call.g.const_data_ptr();
  args.x = call.x.const_data_ptr();
  call.out = torch::stable::new_empty(x, {args.csr.nnz}, acc_scalar_type(args.dtype));
  args.out = call.out.mutable_data_ptr();
  return call;
}

Tensor grad_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                   OptionalTensor, Tensor g, Tensor x) {
  const GradCall call = prepare_grad(rowptr, col, edge_id, t_rowptr, g, x);
  const CsrArg& csr = call.args.csr;
  if (csr.nnz == 0) return call.out;
  const int64_t samples = call.args.num_samples;
  const int64_t chunks = sparse_linear_grad_chunks(call.args);
  const Tensor sums = torch::stable::new_empty(call.out, {chunks, csr.nnz});
  char* first = static_cast<char*>(sums.mutable_data_ptr());
  const int64_t threads = torch::stable::get_num_threads();
  const bool serial = threads == 1 || csr.nnz * samples < kSerialWork;
  // With more threads than chunks, the threads of one chunk share its rows and each transposes x.
  const int64_t ranges = serial ? 1 : (threads + chunks - 1) / chunks;
  for_each_part(chunks * ranges, serial ? 1 : threads, [&](int64_t part) {
    const int64_t chunk = part / ranges;
    LinearGradPart share;
    share.sample_begin = block_bound(samples, kSampleBlock, chunks, chunk);
    share.sample_end = block_bound(samples, kSampleBlock, chunks, chunk + 1);
    share.row_begin = row_of_part(csr, ranges, part % ranges);
    share.row_end = row_of_part(csr, ranges, part % ranges + 1);
    share.sums = first + chunk * csr.nnz * acc_size(call.args.dtype);
    sparse_linear_grad_cpu(call.args, share);
  });
  for_each_block(csr.nnz, kSumBlock, chunks, [&](int64_t begin, int64_t end) {
    sparse_linear_grad_sum_cpu(call.args, first, chunks, begin, end);
  });
  return call.out;
}

Tensor grad_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor t_rowptr, Tensor,
                    OptionalTensor, Tensor g, Tensor x) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const GradCall call = prepare_grad(rowptr, col, edge_id, t_rowptr, g, x);
  const Tensor workspace = workspace_like(x, sparse_linear_grad_workspace(call.args));
  check_launch(
      sparse_linear_grad_cuda(call.args, workspace.mutable_data_ptr(), current_stream(rowptr)));
  return call.out;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("sparse_linear", TORCH_BOX(&sgnn::binding::linear_on_cpu));
  m.impl("sparse_linear_grad", TORCH_BOX(&sgnn::binding::grad_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("sparse_linear", TORCH_BOX(&sgnn::binding::linear_on_cuda));
  m.impl("sparse_linear_grad", TORCH_BOX(&sgnn::binding::grad_on_cuda));
}

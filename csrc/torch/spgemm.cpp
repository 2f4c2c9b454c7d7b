#include "sgnn/spgemm.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <tuple>
#include <vector>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "sgnn/rows_spmm.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kBitsBlock = 64;

CsrArg csr_like(const Tensor& rowptr, const Tensor& col, int64_t num_cols, const Tensor& reference,
                const char* name) {
  check_device(rowptr, reference, name);
  check_dtype(rowptr, reference.scalar_type(), name);
  return csr_arg(rowptr, col, std::nullopt, num_cols);
}

SpgemmArgs pattern_args(const Tensor& a_rowptr, const Tensor& a_col, const Tensor& b_rowptr,
                        const Tensor& b_col, int64_t num_cols) {
  SGNN_CHECK(num_cols >= 0 && num_cols <= INT32_MAX,
             "num_cols must lie in [0, 2^31), got " + std::to_string(num_cols) + ".");
  SpgemmArgs args;
  args.a = csr_arg(a_rowptr, a_col, std::nullopt, rows_of(b_rowptr, "b_rowptr"));
  args.b = csr_like(b_rowptr, b_col, num_cols, a_rowptr, "b_rowptr");
  return args;
}

int64_t work_per_entry(const SpgemmArgs& args) {
  return args.b.num_rows == 0 ? 1 : args.b.nnz / args.b.num_rows + 1;
}

// The rows of B as bits where that pays; `args` refers to them from then on.
std::vector<uint64_t> make_bits(SpgemmArgs& args) {
  if (!spgemm_uses_bits(args)) return {};
  std::vector<uint64_t> bits(static_cast<size_t>(args.b.num_rows * spgemm_words(args)));
  for_each_block(
      args.b.num_rows, kBitsBlock, work_per_entry(args),
      [&](int64_t begin, int64_t end) { spgemm_bits_cpu(args, begin, end, bits.data()); });
  args.b_bits = bits.data();
  return bits;
}

Tensor sizes_on_cpu(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col,
                    int64_t num_cols) {
  SpgemmArgs args = pattern_args(a_rowptr, a_col, b_rowptr, b_col, num_cols);
  const Tensor sizes = torch::stable::new_empty(a_rowptr, {args.a.num_rows}, ScalarType::Long);
  const std::vector<uint64_t> bits = make_bits(args);
  auto* data = static_cast<int64_t*>(sizes.mutable_data_ptr());
  for_each_row_range(args.a, work_per_entry(args),
                     [&](int64_t begin, int64_t end) { spgemm_sizes_cpu(args, begin, end, data); });
  return sizes;
}

Tensor sizes_on_cuda(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col,
                     int64_t num_cols) {
  const torch::stable::accelerator::DeviceGuard guard(a_rowptr.get_device_index());
  const SpgemmArgs args = pattern_args(a_rowptr, a_col, b_rowptr, b_col, num_cols);
  const Tensor sizes = torch::stable::new_empty(a_rowptr, {args.a.num_rows}, ScalarType::Long);
  check_launch(spgemm_sizes_cuda(args, static_cast<int64_t*>(sizes.mutable_data_ptr()),
                                 current_stream(a_rowptr)));
  return sizes;
}

SpgemmArgs columns_args(const Tensor& a_rowptr, const Tensor& a_col, const Tensor& b_rowptr,
                        const Tensor& b_col, const Tensor& rowptr, const Tensor& col,
                        int64_t num_cols) {
  SpgemmArgs args = pattern_args(a_rowptr, a_col, b_rowptr, b_col, num_cols);
  args.c = csr_like(rowptr, col, num_cols, a_rowptr, "rowptr");
  SGNN_CHECK(args.c.num_rows == args.a.num_rows, "rowptr must have shape [" +
                                                     std::to_string(args.a.num_rows + 1) +
                                                     "], got " + shape_text(rowptr) + ".");
  return args;
}

void columns_on_cpu(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col, Tensor rowptr,
                    Tensor col, int64_t num_cols) {
  SpgemmArgs args = columns_args(a_rowptr, a_col, b_rowptr, b_col, rowptr, col, num_cols);
  advise_huge_pages(col);
  const std::vector<uint64_t> bits = make_bits(args);
  for_each_row_range(args.a, work_per_entry(args), [&](int64_t begin, int64_t end) {
    spgemm_columns_cpu(args, begin, end, col.mutable_data_ptr());
  });
}

void columns_on_cuda(Tensor a_rowptr, Tensor a_col, Tensor b_rowptr, Tensor b_col, Tensor rowptr,
                     Tensor col, int64_t num_cols) {
  const torch::stable::accelerator::DeviceGuard guard(a_rowptr.get_device_index());
  const SpgemmArgs args = columns_args(a_rowptr, a_col, b_rowptr, b_col, rowptr, col, num_cols);
  check_launch(spgemm_columns_cuda(args, col.mutable_data_ptr(), current_stream(a_rowptr)));
}

struct Matrices {
  const Tensor& a_rowptr;
  const Tensor& a_col;
  const Tensor& a_values;
  const Tensor& b_rowptr;
  const Tensor& b_col;
  const Tensor& b_values;
  const Tensor& c_rowptr;
  const Tensor& c_col;
};

SpgemmArgs value_args(const Matrices& m, int64_t num_cols) {
  SpgemmArgs args = pattern_args(m.a_rowptr, m.a_col, m.b_rowptr, m.b_col, num_cols);
  args.c = csr_like(m.c_rowptr, m.c_col, num_cols, m.a_rowptr, "c_rowptr");
  SGNN_CHECK(args.c.num_rows == args.a.num_rows, "c_rowptr must have shape [" +
                                                     std::to_string(args.a.num_rows + 1) +
                                                     "], got " + shape_text(m.c_rowptr) + ".");
  args.dtype = float_type(m.b_values, "b_values");
  check_vector(m.a_values, args.a.nnz, acc_scalar_type(args.dtype), m.a_rowptr, "a_values");
  check_vector(m.b_values, args.b.nnz, m.b_values.scalar_type(), m.a_rowptr, "b_values");
  args.a_values = m.a_values.const_data_ptr();
  args.b_values = m.b_values.const_data_ptr();
  return args;
}

Tensor values_on_cpu(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, Tensor b_col,
                     Tensor b_values, Tensor c_rowptr, Tensor c_col, int64_t num_cols) {
  const SpgemmArgs args =
      value_args({a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col}, num_cols);
  const Tensor values = torch::stable::new_empty(b_values, {args.c.nnz});
  advise_huge_pages(values);
  for_each_row_range(args.a, work_per_entry(args), [&](int64_t begin, int64_t end) {
    spgemm_values_cpu(args, begin, end, values.mutable_data_ptr());
  });
  return values;
}

Tensor values_on_cuda(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, Tensor b_col,
                      Tensor b_values, Tensor c_rowptr, Tensor c_col, int64_t num_cols) {
  const torch::stable::accelerator::DeviceGuard guard(a_rowptr.get_device_index());
  const SpgemmArgs args =
      value_args({a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col}, num_cols);
  const Tensor values = torch::stable::new_empty(b_values, {args.c.nnz});
  check_launch(spgemm_values_cuda(args, values.mutable_data_ptr(), current_stream(a_rowptr)));
  return values;
}

struct GradCall {
  SpgemmArgs args;
  Tensor da;  // [0] when not asked for
  Tensor db;
};

GradCall prepare_grad(const Matrices& m, const Tensor& g, int64_t num_cols, bool need_a,
                      bool need_b) {
  SpgemmArgs args = value_args(m, num_cols);
  check_vector(g, args.c.nnz, m.b_values.scalar_type(), m.a_rowptr, "g");
  args.g = g.const_data_ptr();
  return {args, torch::stable::new_empty(m.a_values, {need_a ? args.a.nnz : 0}),
          torch::stable::new_empty(m.b_values, {need_b ? args.b.nnz : 0})};
}

// How many sums over rows of C are taken apart for db: a function of the sizes alone.
int64_t number_of_sums(const SpgemmArgs& args) {
  constexpr int64_t kMost = 32;
  const int64_t affordable = (args.a.nnz + args.a.num_rows) / (args.b.nnz + 1);
  const int64_t sums = affordable < kMost ? affordable : kMost;
  return sums < 1 ? 1 : sums;
}

using Grads = std::tuple<Tensor, Tensor>;

Grads grad_on_cpu(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, Tensor b_col,
                  Tensor b_values, Tensor c_rowptr, Tensor c_col, OptionalTensor, OptionalTensor,
                  OptionalTensor, Tensor g, int64_t num_cols, bool need_a, bool need_b) {
  const GradCall call =
      prepare_grad({a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col}, g,
                   num_cols, need_a, need_b);
  const SpgemmArgs& args = call.args;
  void* da = need_a ? call.da.mutable_data_ptr() : nullptr;
  if (!need_b) {
    for_each_row_range(args.a, work_per_entry(args), [&](int64_t begin, int64_t end) {
      spgemm_grad_cpu(args, begin, end, da, nullptr);
    });
    return {call.da, call.db};
  }
  const int64_t size = args.b.nnz;
  const int64_t count = number_of_sums(args);
  Tensor sums = torch::stable::new_empty(g, {count, size}, acc_scalar_type(args.dtype));
  torch::stable::zero_(sums);
  auto* data = static_cast<char*>(sums.mutable_data_ptr());
  for_each_part(count, torch::stable::get_num_threads(), [&](int64_t part) {
    spgemm_grad_cpu(args, row_of_part(args.a, count, part), row_of_part(args.a, count, part + 1),
                    da, data + part * size * acc_size(args.dtype));
  });
  sum_values_cpu(args.dtype, data, count, size, call.db.mutable_data_ptr());
  return {call.da, call.db};
}

Grads grad_on_cuda(Tensor a_rowptr, Tensor a_col, Tensor a_values, Tensor b_rowptr, Tensor b_col,
                   Tensor b_values, Tensor c_rowptr, Tensor c_col, OptionalTensor t_rowptr,
                   OptionalTensor t_col, OptionalTensor t_edge_id, Tensor g, int64_t num_cols,
                   bool need_a, bool need_b) {
  const torch::stable::accelerator::DeviceGuard guard(a_rowptr.get_device_index());
  const GradCall call =
      prepare_grad({a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col}, g,
                   num_cols, need_a, need_b);
  const Stream stream = current_stream(a_rowptr);
  if (need_a) check_launch(spgemm_grad_a_cuda(call.args, call.da.mutable_data_ptr(), stream));
  if (!need_b) return {call.da, call.db};
  SGNN_CHECK(t_rowptr.has_value() && t_col.has_value(),
             "t_col must be given for the gradient of b on a GPU, got none.");
  const CsrArg transposed = csr_arg(*t_rowptr, *t_col, t_edge_id, call.args.a.num_rows);
  SGNN_CHECK(transposed.num_rows == call.args.b.num_rows && transposed.nnz == call.args.a.nnz,
             "t_rowptr must be that of the transpose of a, got another one.");
  check_launch(spgemm_grad_b_cuda(call.args, transposed, call.db.mutable_data_ptr(), stream));
  return {call.da, call.db};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spgemm_sizes", TORCH_BOX(&sgnn::binding::sizes_on_cpu));
  m.impl("spgemm_columns", TORCH_BOX(&sgnn::binding::columns_on_cpu));
  m.impl("spgemm_values", TORCH_BOX(&sgnn::binding::values_on_cpu));
  m.impl("spgemm_grad", TORCH_BOX(&sgnn::binding::grad_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spgemm_sizes", TORCH_BOX(&sgnn::binding::sizes_on_cuda));
  m.impl("spgemm_columns", TORCH_BOX(&sgnn::binding::columns_on_cuda));
  m.impl("spgemm_values", TORCH_BOX(&sgnn::binding::values_on_cuda));
  m.impl("spgemm_grad", TORCH_BOX(&sgnn::binding::grad_on_cuda));
}

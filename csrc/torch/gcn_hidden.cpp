#include "sgnn/gcn_hidden.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "graph_args.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

const void* weights_of(const Tensor& tensor, std::initializer_list<int64_t> shape,
                       const Tensor& reference, ScalarType type, const char* name) {
  bool fits = tensor.dim() == static_cast<int64_t>(shape.size());
  int64_t d = 0;
  for (const int64_t size : shape) fits = fits && tensor.size(d++) == size;
  SGNN_CHECK(fits, std::string(name) + " does not fit the features and panels, got shape " +
                       shape_text(tensor) + ".");
  check_dtype(tensor, type, name);
  check_device(tensor, reference, name);
  SGNN_CHECK(tensor.is_contiguous(),
             std::string(name) + " must be contiguous, got a strided view.");
  return tensor.const_data_ptr();
}

// Every thread computes whole panels: nothing wide moves between the caches of two cores.
void run_panels_apart(const GcnHiddenArgs& args, const Tensor& w1, int64_t threads) {
  const int64_t rows = args.x.num_rows;
  const Tensor hidden = torch::stable::new_empty(w1, {threads, rows, args.panel});
  std::atomic<int64_t> next{0};
  torch::stable::parallel_for(0, threads, 1, [&](int64_t slot, int64_t) {
    char* own = static_cast<char*>(hidden.mutable_data_ptr()) +
                slot * rows * args.panel * static_cast<int64_t>(hidden.element_size());
    for (int64_t panel = next++; panel < args.num_panels; panel = next++) {
      gcn_hidden_transform_cpu(args, panel, own, 0, rows);
      gcn_hidden_project_cpu(args, panel, own, 0, args.a.num_rows);
    }
  });
}

// More threads than panels: all of them work on the rows of one panel after the other.
void run_panels_together(const GcnHiddenArgs& args, const Tensor& w1) {
  const Tensor hidden = torch::stable::new_empty(w1, {args.x.num_rows, args.panel});
  void* data = hidden.mutable_data_ptr();
  for (int64_t panel = 0; panel < args.num_panels; ++panel) {
    for_each_row_range(args.x, args.panel, [&](int64_t begin, int64_t end) {
      gcn_hidden_transform_cpu(args, panel, data, begin, end);
    });
    for_each_row_range(args.a, args.panel, [&](int64_t begin, int64_t end) {
      gcn_hidden_project_cpu(args, panel, data, begin, end);
    });
  }
}

Tensor gcn_hidden_on_cpu(Tensor x_rowptr, Tensor x_col, OptionalTensor x_value,
                         OptionalTensor x_row_scale, Tensor a_rowptr, Tensor a_col,
                         OptionalTensor a_value, Tensor w1, OptionalTensor bias, Tensor w2) {
  check_dim(w1, 3, "w1");
  check_dim(w2, 2, "w2");
  GcnHiddenArgs args;
  args.dtype = float_type(w1, "w1");
  args.num_panels = w1.size(0);
  args.panel = w1.size(2);
  args.num_outputs = w2.size(0);
  SGNN_CHECK(args.num_panels > 0 && args.panel > 0,
             "w1 must have shape [panels, K, units], got " + shape_text(w1) + ".");
  args.x = csr_arg(x_rowptr, x_col, std::nullopt, w1.size(1));
  args.a = csr_arg(a_rowptr, a_col, std::nullopt, args.x.num_rows);
  const int64_t units = args.num_panels * args.panel;
  args.x_value = optional_vector(x_value, args.x.nnz, args.dtype, w1, "x_value");
  args.x_row_scale = optional_vector(x_row_scale, args.x.num_rows, args.dtype, w1, "x_row_scale");
  args.a_value = optional_vector(a_value, args.a.nnz, args.dtype, w1, "a_value");
  args.bias = optional_vector(bias, units, args.dtype, w1, "bias");
  args.w1 =
      weights_of(w1, {args.num_panels, args.x.num_cols, args.panel}, w1, w1.scalar_type(), "w1");
  args.w2 = weights_of(w2, {args.num_outputs, units}, w1, w1.scalar_type(), "w2");
  const Tensor shares = torch::stable::new_empty(
      w1, {args.num_panels, args.a.num_rows, args.num_outputs}, acc_scalar_type(args.dtype));
  const Tensor z = torch::stable::new_empty(w1, {args.a.num_rows, args.num_outputs});
  args.shares = shares.mutable_data_ptr();
  args.z = z.mutable_data_ptr();
  const int64_t threads = torch::stable::get_num_threads();
  if (threads <= args.num_panels) {
    run_panels_apart(args, w1, threads);
  } else {
    run_panels_together(args, w1);
  }
  gcn_hidden_sum_cpu(args, 0, args.a.num_rows);
  return z;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("gcn_hidden", TORCH_BOX(&sgnn::binding::gcn_hidden_on_cpu));
}

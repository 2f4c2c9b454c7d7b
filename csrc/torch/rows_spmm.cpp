#include "sgnn/rows_spmm.h"

#include <torch/csrc/stable/library.h>

#include <atomic>
#include <tuple>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"
#include "rows_args.h"
#include "spmm_on_cpu.h"

namespace sgnn::binding {
namespace {

// A graph in a schema; the transpose may be missing.
struct GraphTensors {
  Tensor rowptr;
  Tensor col;
  OptionalTensor edge_id;
  OptionalTensor t_rowptr;
  OptionalTensor t_col;
  OptionalTensor t_edge_id;
};

struct EdgeTensors {
  OptionalTensor weight;
  OptionalTensor bits;
  OptionalTensor row_scale;
  OptionalTensor col_scale;
};

// The arguments that forward and backward share.
RowsSpmmArgs common_args(const GraphTensors& graph, const RowsArg& x, const Tensor& values,
                         const EdgeTensors& edge) {
  RowsSpmmArgs args;
  args.x = x;
  args.dtype = float_type(values, "values");
  args.csr = csr_arg(graph.rowptr, graph.col, graph.edge_id, x.num_rows);
  if (graph.t_rowptr.has_value()) {
    const int64_t sources = rows_of(*graph.t_rowptr, "t_rowptr");
    SGNN_CHECK(sources == x.num_rows, "values must have one row per source node, " +
                                          std::to_string(sources) + ", got " +
                                          std::to_string(x.num_rows) + ".");
  }
  const int64_t edges = args.csr.nnz;
  args.weight = optional_vector(edge.weight, edges, args.dtype, graph.rowptr, "weight");
  args.bits = optional_bits(edge.bits, edges, graph.rowptr);
  args.row_scale =
      optional_vector(edge.row_scale, args.csr.num_rows, args.dtype, graph.rowptr, "row_scale");
  args.col_scale =
      optional_vector(edge.col_scale, x.num_rows, args.dtype, graph.rowptr, "col_scale");
  return args;
}

int64_t entries_per_row(const RowsArg& x) { return x.num_rows == 0 ? 1 : x.nnz / x.num_rows + 1; }

struct ForwardCall {
  Tensor y;
  RowsSpmmArgs args;
};

ForwardCall prepare(const GraphTensors& graph, const OptionalTensor& x_rowptr, const Tensor& ids,
                    const Tensor& values, int64_t num_cols, const EdgeTensors& edge) {
  const RowsArg x = rows_arg(x_rowptr, ids, values, num_cols, graph.rowptr);
  ForwardCall call{values, common_args(graph, x, values, edge)};
  call.y = torch::stable::new_empty(values, {call.args.csr.num_rows, num_cols});
  call.args.y = call.y.mutable_data_ptr();
  return call;
}

// Computes y from a dense copy of x, where that is faster and the same.
bool run_dense(const ForwardCall& call) {
  const RowsSpmmArgs& args = call.args;
  if (!rows_spmm_dense_pays(args)) return false;
  constexpr int64_t kBlock = 4096;
  std::atomic<bool> finite{true};
  for_each_block(args.csr.nnz, kBlock, 1, [&](int64_t begin, int64_t end) {
    if (!finite_weights_cpu(args, begin, end)) finite = false;
  });
  const Tensor dense = torch::stable::new_empty(call.y, {args.x.num_rows, args.x.num_cols});
  if (!finite || !rows_to_dense_cpu(args, dense.mutable_data_ptr())) return false;
  SpmmArgs product;
  product.csr = args.csr;
  product.dtype = product.out_dtype = args.dtype;
  product.width = product.x_stride = args.x.num_cols;
  product.x = dense.const_data_ptr();
  product.y = args.y;
  product.weight = args.weight;
  product.bits = args.bits;
  run_spmm_on_cpu(product);
  return true;
}

Tensor forward_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, OptionalTensor t_rowptr,
                      OptionalTensor t_col, OptionalTensor t_edge_id, OptionalTensor x_rowptr,
                      Tensor ids, Tensor values, int64_t num_cols, OptionalTensor weight,
                      OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale) {
  const ForwardCall call = prepare({rowptr, col, edge_id, t_rowptr, t_col, t_edge_id}, x_rowptr,
                                   ids, values, num_cols, {weight, bits, row_scale, col_scale});
  advise_huge_pages(call.y);
  if (run_dense(call)) return call.y;
  for_each_row_range(call.args.csr, entries_per_row(call.args.x),
                     [&](int64_t begin, int64_t end) { rows_spmm_cpu(call.args, begin, end); });
  return call.y;
}

Tensor forward_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, OptionalTensor t_rowptr,
                       OptionalTensor t_col, OptionalTensor t_edge_id, OptionalTensor x_rowptr,
                       Tensor ids, Tensor values, int64_t num_cols, OptionalTensor weight,
                       OptionalTensor bits, OptionalTensor row_scale, OptionalTensor col_scale) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const ForwardCall call = prepare({rowptr, col, edge_id, t_rowptr, t_col, t_edge_id}, x_rowptr,
                                   ids, values, num_cols, {weight, bits, row_scale, col_scale});
  check_launch(rows_spmm_cuda(call.args, current_stream(rowptr)));
  return call.y;
}

struct BackwardCall {
  Tensor g;
  Tensor values_grad;  // [0] when not asked for
  Tensor edges_grad;
  RowsSpmmArgs args;        // without its `values`
  RowsSpmmArgs transposed;  // for `values`, where the transpose is known
};

RowsSpmmArgs transposed_args(const RowsSpmmArgs& args, const GraphTensors& graph) {
  RowsSpmmArgs out = args;
  out.csr = csr_arg(*graph.t_rowptr, *graph.t_col, graph.t_edge_id, args.csr.num_rows);
  out.row_scale = args.col_scale;
  out.col_scale = args.row_scale;
  return out;
}

BackwardCall prepare_backward(const GraphTensors& graph, const OptionalTensor& x_rowptr,
                              const Tensor& ids, const Tensor& values, const Tensor& g,
                              const EdgeTensors& edge, bool need_values, bool need_edges) {
  check_dim(g, 2, "g");
  check_device(g, graph.rowptr, "g");
  check_dtype(g, values.scalar_type(), "g");
  const RowsArg x = rows_arg(x_rowptr, ids, values, g.size(1), graph.rowptr);
  BackwardCall call{with_contiguous_rows(g), g, g, common_args(graph, x, values, edge), {}};
  RowsSpmmArgs& args = call.args;
  SGNN_CHECK(g.size(0) == args.csr.num_rows, "g must have one row per target node, " +
                                                 std::to_string(args.csr.num_rows) +
                                                 ", got shape " + shape_text(g) + ".");
  args.g = call.g.const_data_ptr();
  args.g_stride = call.g.stride(0);
  const ScalarType acc = acc_scalar_type(args.dtype);
  call.edges_grad = torch::stable::new_empty(g, {need_edges ? args.csr.nnz : 0}, acc);
  if (args.bits != nullptr) torch::stable::zero_(call.edges_grad);
  if (need_edges) args.edges = call.edges_grad.mutable_data_ptr();
  call.values_grad =
      need_values ? torch::stable::empty_like(values) : torch::stable::new_empty(values, {0});
  if (graph.t_col.has_value() && need_values) {
    call.transposed = transposed_args(args, graph);
    call.transposed.values = call.values_grad.mutable_data_ptr();
  }
  return call;
}

// How many sums over rows are taken apart: a function of the sizes alone, so that no result depends
// on the number of threads.
int64_t number_of_sums(const RowsSpmmArgs& args) {
  constexpr int64_t kMost = 32;
  const int64_t affordable = (args.csr.nnz + args.csr.num_rows) / (args.x.nnz + 1);
  const int64_t sums = affordable < kMost ? affordable : kMost;
  return sums < 1 ? 1 : sums;
}

// Both gradients in one walk of the rows of g, which sums `values` in several parts.
void run_by_row(const BackwardCall& call, bool need_values) {
  const CsrArg& csr = call.args.csr;
  if (!need_values) {
    return for_each_row_range(csr, entries_per_row(call.args.x), [&](int64_t begin, int64_t end) {
      rows_spmm_edges_cpu(call.args, begin, end);
    });
  }
  const int64_t size = call.args.x.nnz;
  const int64_t count = number_of_sums(call.args);
  const Tensor sums =
      torch::stable::new_empty(call.g, {count, size}, acc_scalar_type(call.args.dtype));
  torch::stable::zero_(const_cast<Tensor&>(sums));
  auto* data = static_cast<char*>(sums.mutable_data_ptr());
  for_each_part(count, torch::stable::get_num_threads(), [&](int64_t part) {
    RowsSpmmArgs args = call.args;
    args.values = data + part * size * acc_size(args.dtype);
    rows_spmm_edges_cpu(args, row_of_part(csr, count, part), row_of_part(csr, count, part + 1));
  });
  sum_values_cpu(call.args.dtype, data, count, size, call.values_grad.mutable_data_ptr());
}

std::tuple<Tensor, Tensor> backward_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id,
                                           OptionalTensor t_rowptr, OptionalTensor t_col,
                                           OptionalTensor t_edge_id, OptionalTensor x_rowptr,
                                           Tensor ids, Tensor values, Tensor g,
                                           OptionalTensor weight, OptionalTensor bits,
                                           OptionalTensor row_scale, OptionalTensor col_scale,
                                           bool need_values, bool need_edges) {
  const BackwardCall call =
      prepare_backward({rowptr, col, edge_id, t_rowptr, t_col, t_edge_id}, x_rowptr, ids, values, g,
                       {weight, bits, row_scale, col_scale}, need_values, need_edges);
  const bool by_row = need_values && !t_col.has_value();
  if (need_edges || by_row) run_by_row(call, by_row);
  if (need_values && !by_row) {
    for_each_row_range(
        call.transposed.csr, entries_per_row(call.args.x),
        [&](int64_t begin, int64_t end) { rows_spmm_values_cpu(call.transposed, begin, end); });
  }
  return {call.values_grad, call.edges_grad};
}

std::tuple<Tensor, Tensor> backward_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id,
                                            OptionalTensor t_rowptr, OptionalTensor t_col,
                                            OptionalTensor t_edge_id, OptionalTensor x_rowptr,
                                            Tensor ids, Tensor values, Tensor g,
                                            OptionalTensor weight, OptionalTensor bits,
                                            OptionalTensor row_scale, OptionalTensor col_scale,
                                            bool need_values, bool need_edges) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  SGNN_CHECK(!need_values || t_col.has_value(),
             "t_col must be given for the gradient of values on a GPU, got none.");
  const BackwardCall call =
      prepare_backward({rowptr, col, edge_id, t_rowptr, t_col, t_edge_id}, x_rowptr, ids, values, g,
                       {weight, bits, row_scale, col_scale}, need_values, need_edges);
  const Stream stream = current_stream(rowptr);
  if (need_edges) check_launch(rows_spmm_edges_cuda(call.args, stream));
  if (need_values) check_launch(rows_spmm_values_cuda(call.transposed, stream));
  return {call.values_grad, call.edges_grad};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm_rows", TORCH_BOX(&sgnn::binding::forward_on_cpu));
  m.impl("spmm_rows_grad", TORCH_BOX(&sgnn::binding::backward_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("spmm_rows", TORCH_BOX(&sgnn::binding::forward_on_cuda));
  m.impl("spmm_rows_grad", TORCH_BOX(&sgnn::binding::backward_on_cuda));
}

#include "sgnn/random_walk.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <tuple>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

using Walks = std::tuple<Tensor, Tensor>;

constexpr int64_t kWalkBlock = 64;
constexpr int64_t kStepWork = 32;  // a step costs about as much as so many multiply-adds

struct WalkCall {
  Tensor nodes;
  Tensor edges;
  RandomWalkArgs args;
};

template <typename V>
const V* optional_data(const OptionalTensor& tensor, int64_t size, ScalarType type,
                       const Tensor& reference, const char* name) {
  if (!tensor.has_value()) return nullptr;
  check_vector(*tensor, size, type, reference, name);
  return static_cast<const V*>(tensor->const_data_ptr());
}

WalkCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                 const OptionalTensor& time, const OptionalTensor& weight_sum, const Tensor& start,
                 const OptionalTensor& start_time, int64_t length, int64_t seed, bool strict,
                 bool with_edges) {
  SGNN_CHECK(length >= 0, "length must not be negative, got " + std::to_string(length) + ".");
  const int64_t nodes = rows_of(rowptr, "rowptr");
  const int64_t walks = start.numel();
  check_vector(start, walks, ScalarType::Long, rowptr, "start");
  RandomWalkArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, nodes);
  args.time = optional_data<int64_t>(time, args.csr.nnz, ScalarType::Long, rowptr, "time");
  args.weight_sum =
      optional_data<double>(weight_sum, args.csr.nnz, ScalarType::Double, rowptr, "weight_sum");
  args.strict = strict;
  args.num_walks = walks;
  args.length = length;
  args.seed = static_cast<uint64_t>(seed);
  args.start = static_cast<const int64_t*>(start.const_data_ptr());
  args.start_time =
      optional_data<int64_t>(start_time, walks, ScalarType::Long, rowptr, "start_time");
  WalkCall call{torch::stable::new_empty(start, {walks, length + 1}),
                torch::stable::new_empty(start, {walks, with_edges ? length : 0}), args};
  call.args.nodes = static_cast<int64_t*>(call.nodes.mutable_data_ptr());
  if (with_edges) call.args.edges = static_cast<int64_t*>(call.edges.mutable_data_ptr());
  return call;
}

// On the GPU a start outside the graph gives a walk of -1: checking it would wait for the device.
void check_starts(const RandomWalkArgs& args) {
  for (int64_t w = 0; w < args.num_walks; ++w) {
    if (args.start[w] >= 0 && args.start[w] < args.csr.num_rows) continue;
    fail("start must lie in [0, " + std::to_string(args.csr.num_rows) + "), got " +
         std::to_string(args.start[w]) + " at position " + std::to_string(w) + ".");
  }
}

Walks walk_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, OptionalTensor time,
                  OptionalTensor weight_sum, Tensor start, OptionalTensor start_time,
                  int64_t length, int64_t seed, bool strict, bool with_edges) {
  const WalkCall call = prepare(rowptr, col, edge_id, time, weight_sum, start, start_time, length,
                                seed, strict, with_edges);
  check_starts(call.args);
  advise_huge_pages(call.nodes);
  advise_huge_pages(call.edges);
  for_each_block(call.args.num_walks, kWalkBlock, (length + 1) * kStepWork,
                 [&](int64_t begin, int64_t end) { random_walk_cpu(call.args, begin, end); });
  return {call.nodes, call.edges};
}

Walks walk_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, OptionalTensor time,
                   OptionalTensor weight_sum, Tensor start, OptionalTensor start_time,
                   int64_t length, int64_t seed, bool strict, bool with_edges) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const WalkCall call = prepare(rowptr, col, edge_id, time, weight_sum, start, start_time, length,
                                seed, strict, with_edges);
  check_launch(random_walk_cuda(call.args, current_stream(rowptr)));
  return {call.nodes, call.edges};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("random_walk", TORCH_BOX(&sgnn::binding::walk_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("random_walk", TORCH_BOX(&sgnn::binding::walk_on_cuda));
}

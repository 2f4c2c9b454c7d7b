#include "sgnn/walk_weights.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "cuda_stream.h"
#include "graph_args.h"
#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

struct SumCall {
  Tensor sum;
  WalkWeightsArgs args;
};

SumCall prepare(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
                const Tensor& weight) {
  WalkWeightsArgs args;
  args.csr = csr_arg(rowptr, col, edge_id, rows_of(rowptr, "rowptr"));
  check_vector(weight, args.csr.nnz, ScalarType::Double, rowptr, "weight");
  SumCall call{torch::stable::new_empty(weight, {args.csr.nnz}), args};
  call.args.weight = static_cast<const double*>(weight.const_data_ptr());
  call.args.sum = static_cast<double*>(call.sum.mutable_data_ptr());
  return call;
}

// On the GPU a walk ends before such a weight: checking it would wait for the device.
void check_sums(const WalkWeightsArgs& args) {
  bool finite = true;
  for (int64_t at = 0; at < args.csr.nnz; ++at) finite &= args.sum[at] <= kLargestSum;
  if (finite) return;
  for (int64_t edge = 0; edge < args.csr.nnz; ++edge) {
    const double weight = args.weight[edge];
    SGNN_CHECK(checked_weight(weight) == weight, "weight must be finite and not negative, got " +
                                                     std::to_string(weight) + " at edge " +
                                                     std::to_string(edge) + ".");
  }
  fail("weight must have a finite sum over the edges out of every node, got inf.");
}

Tensor sum_on_cpu(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor weight) {
  const SumCall call = prepare(rowptr, col, edge_id, weight);
  advise_huge_pages(call.sum);
  for_each_row_range(call.args.csr, 4,
                     [&](int64_t begin, int64_t end) { walk_weights_cpu(call.args, begin, end); });
  check_sums(call.args);
  return call.sum;
}

Tensor sum_on_cuda(Tensor rowptr, Tensor col, OptionalTensor edge_id, Tensor weight) {
  const torch::stable::accelerator::DeviceGuard guard(rowptr.get_device_index());
  const SumCall call = prepare(rowptr, col, edge_id, weight);
  check_launch(walk_weights_cuda(call.args, current_stream(rowptr)));
  return call.sum;
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("walk_weights", TORCH_BOX(&sgnn::binding::sum_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("walk_weights", TORCH_BOX(&sgnn::binding::sum_on_cuda));
}

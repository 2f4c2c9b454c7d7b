// The CUDA entry points of a build without nvcc: the same symbols, each answering with one
// sentence.
#include "sgnn/block_linear.h"
#include "sgnn/drop_and_grow.h"
#include "sgnn/dropout.h"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"
#include "sgnn/gat.h"
#include "sgnn/gatv2.h"
#include "sgnn/hard_concrete.h"
#include "sgnn/random_walk.h"
#include "sgnn/rows_spmm.h"
#include "sgnn/sddmm.h"
#include "sgnn/softmax_aggregate.h"
#include "sgnn/sparse_linear.h"
#include "sgnn/spgemm.h"
#include "sgnn/spmm.h"
#include "sgnn/spmm_extreme.h"
#include "sgnn/spmm_grad.h"
#include "sgnn/status.h"
#include "sgnn/topk_mask.h"
#include "sgnn/topk_rows.h"
#include "sgnn/walk_weights.h"

namespace sgnn {
namespace {

constexpr Status kMissing =
    "sparsegnn was built without CUDA: rebuild it where nvcc is installed, or move the tensors to "
    "the CPU";

}  // namespace

bool cuda_compiled() { return false; }

Status dropout_cuda(const DropoutArgs&, Stream) { return kMissing; }
Status dropout_grad_cuda(const DropoutGradArgs&, Stream) { return kMissing; }

int64_t spmm_workspace(const SpmmArgs&) { return 0; }
Status spmm_cuda(const SpmmArgs&, void*, Stream) { return kMissing; }
Status hard_concrete_cuda(const HardConcreteArgs&, Stream) { return kMissing; }
int64_t spmm_extreme_workspace(const SpmmExtremeArgs&) { return 0; }
Status spmm_extreme_cuda(const SpmmExtremeArgs&, void*, Stream) { return kMissing; }
Status spmm_extreme_grad_cuda(const SpmmExtremeGradArgs&, Stream) { return kMissing; }
int64_t spmm_grad_workspace(const SpmmGradArgs&) { return 0; }
Status spmm_grad_cuda(const SpmmGradArgs&, void*, Stream) { return kMissing; }
Status random_walk_cuda(const RandomWalkArgs&, Stream) { return kMissing; }
Status walk_weights_cuda(const WalkWeightsArgs&, Stream) { return kMissing; }
Status sddmm_cuda(const SddmmArgs&, Stream) { return kMissing; }

Status edge_scores_cuda(const EdgeScoresArgs&, Stream) { return kMissing; }
int64_t edge_rows_workspace(const CsrArg&, DType, int64_t) { return 0; }
Status edge_sum_cuda(const EdgeSumArgs&, void*, Stream) { return kMissing; }
Status edge_softmax_cuda(const EdgeSoftmaxArgs&, void*, Stream) { return kMissing; }
Status edge_softmax_grad_cuda(const EdgeSoftmaxGradArgs&, void*, Stream) { return kMissing; }

int64_t gat_workspace(const GatArgs&) { return 0; }
int64_t gat_grad_workspace(const GatGradArgs&) { return 0; }
Status gat_cuda(const GatArgs&, void*, Stream) { return kMissing; }
Status gat_grad_targets_cuda(const GatTargetsArgs&, Stream) { return kMissing; }
Status gat_grad_cuda(const GatGradArgs&, void*, Stream) { return kMissing; }

int64_t gatv2_workspace(const Gatv2Args&) { return 0; }
int64_t gatv2_grad_workspace(const Gatv2GradArgs&) { return 0; }
Status gatv2_cuda(const Gatv2Args&, void*, Stream) { return kMissing; }
Status gatv2_grad_cuda(const Gatv2GradArgs&, const CsrArg&, void*, void*, Stream) {
  return kMissing;
}

int64_t softmax_aggregate_workspace(const SoftmaxAggregateArgs&) { return 0; }
int64_t softmax_aggregate_grad_workspace(const SoftmaxAggregateGradArgs&, bool) { return 0; }
Status softmax_aggregate_cuda(const SoftmaxAggregateArgs&, void*, Stream) { return kMissing; }
Status softmax_aggregate_grad_cuda(const SoftmaxAggregateGradArgs&, void*, void*, Stream) {
  return kMissing;
}

int64_t sparse_linear_workspace(const SparseLinearArgs&) { return 0; }
int64_t sparse_linear_grad_workspace(const SparseLinearGradArgs&) { return 0; }
Status sparse_linear_cuda(const SparseLinearArgs&, void*, Stream) { return kMissing; }
Status sparse_linear_grad_cuda(const SparseLinearGradArgs&, void*, Stream) { return kMissing; }

int64_t block_linear_grad_workspace(const BlockLinearGradArgs&) { return 0; }
Status block_linear_cuda(const BlockLinearArgs&, Stream) { return kMissing; }
Status block_linear_grad_cuda(const BlockLinearGradArgs&, void*, Stream) { return kMissing; }

int64_t drop_and_grow_workspace(const DropAndGrowArgs&) { return 0; }
Status drop_and_grow_cuda(const DropAndGrowArgs&, void*, Stream) { return kMissing; }

int64_t topk_mask_workspace(const TopkMaskArgs&) { return 0; }
Status topk_mask_cuda(const TopkMaskArgs&, void*, Stream) { return kMissing; }

Status rows_spmm_cuda(const RowsSpmmArgs&, Stream) { return kMissing; }
Status rows_spmm_edges_cuda(const RowsSpmmArgs&, Stream) { return kMissing; }
Status rows_spmm_values_cuda(const RowsSpmmArgs&, Stream) { return kMissing; }

Status spgemm_sizes_cuda(const SpgemmArgs&, int64_t*, Stream) { return kMissing; }
Status spgemm_columns_cuda(const SpgemmArgs&, void*, Stream) { return kMissing; }
Status spgemm_values_cuda(const SpgemmArgs&, void*, Stream) { return kMissing; }
Status spgemm_grad_a_cuda(const SpgemmArgs&, void*, Stream) { return kMissing; }
Status spgemm_grad_b_cuda(const SpgemmArgs&, const CsrArg&, void*, Stream) { return kMissing; }

Status topk_rows_cuda(const TopkRowsArgs&, Stream) { return kMissing; }

}  // namespace sgnn

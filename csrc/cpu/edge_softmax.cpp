#include "sgnn/edge_softmax.h"

#include "edge_softmax_isa.h"

namespace sgnn {

void edge_scores_cpu(const EdgeScoresArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(edge_scores, args, row_begin, row_end);
}

void edge_sum_cpu(const EdgeSumArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(edge_sum, args, row_begin, row_end);
}

void edge_softmax_cpu(const EdgeSoftmaxArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(edge_softmax, args, row_begin, row_end);
}

void edge_softmax_grad_cpu(const EdgeSoftmaxGradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(edge_softmax_grad, args, row_begin, row_end);
}

}  // namespace sgnn

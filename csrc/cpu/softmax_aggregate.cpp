#include "sgnn/softmax_aggregate.h"

#include "softmax_aggregate_isa.h"

namespace sgnn {

void softmax_aggregate_cpu(const SoftmaxAggregateArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(softmax_aggregate, args, row_begin, row_end);
}

void softmax_aggregate_grad_cpu(const SoftmaxAggregateGradArgs& args, int64_t row_begin,
                                int64_t row_end, void* dt) {
  SGNN_CALL_ISA(softmax_aggregate_grad, args, row_begin, row_end, dt);
}

}  // namespace sgnn

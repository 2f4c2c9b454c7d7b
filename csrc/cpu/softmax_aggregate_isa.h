// What softmax aggregation compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/softmax_aggregate.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void softmax_aggregate(const SoftmaxAggregateArgs& args, int64_t begin, int64_t end);
             void softmax_aggregate_grad(const SoftmaxAggregateGradArgs& args, int64_t begin,
                                         int64_t end, void* dt);)

}  // namespace sgnn::cpu

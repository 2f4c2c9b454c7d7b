// What the operators on edge values compile once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void edge_scores(const EdgeScoresArgs& args, int64_t begin, int64_t end);
             void edge_sum(const EdgeSumArgs& args, int64_t begin, int64_t end);
             void edge_softmax(const EdgeSoftmaxArgs& args, int64_t begin, int64_t end);
             void edge_softmax_grad(const EdgeSoftmaxGradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

// What fused GATv2 attention compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/gatv2.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void gatv2(const Gatv2Args& args, int64_t begin, int64_t end);
             void gatv2_grad_targets(const Gatv2GradArgs& args, int64_t begin, int64_t end,
                                     void* grad_att);
             void gatv2_grad_sources(const Gatv2GradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

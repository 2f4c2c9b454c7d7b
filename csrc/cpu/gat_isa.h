// What fused attention compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/gat.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void gat(const GatArgs& args, int64_t begin, int64_t end);
             void gat_grad_targets(const GatTargetsArgs& args, int64_t begin, int64_t end);
             void gat_grad(const GatGradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

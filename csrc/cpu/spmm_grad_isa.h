// What SpMM's gradients compile once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/spmm_grad.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void spmm_grad(const SpmmGradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

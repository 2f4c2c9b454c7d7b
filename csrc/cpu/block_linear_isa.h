// What the block-sparse linear layer compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/block_linear.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void block_linear(const BlockLinearArgs& args, int64_t begin, int64_t end);
             void block_linear_grad(const BlockLinearGradArgs& args, const BlockGradPart& part);)

}  // namespace sgnn::cpu

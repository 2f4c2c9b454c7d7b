// What the sparse linear layer compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/sparse_linear.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void sparse_linear(const SparseLinearArgs& args, const void* packed, int64_t begin,
                                int64_t end);
             void sparse_linear_grad(const SparseLinearGradArgs& args, const LinearGradPart& part);)

}  // namespace sgnn::cpu

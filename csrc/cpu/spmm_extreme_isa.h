// What max and min aggregation compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/spmm_extreme.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void spmm_extreme(const SpmmExtremeArgs& args, int64_t begin, int64_t end);
             void spmm_extreme_grad(const SpmmExtremeGradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

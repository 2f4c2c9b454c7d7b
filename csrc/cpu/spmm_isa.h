// What SpMM compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/spmm.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first,
                       int64_t last);
             void spmm_push(const SpmmArgs& args, const CsrArg& by_source, int64_t first,
                            int64_t last);)

}  // namespace sgnn::cpu

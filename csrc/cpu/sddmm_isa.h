// What SDDMM compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/sddmm.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void sddmm(const SddmmArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

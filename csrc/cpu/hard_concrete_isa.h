// What hard concrete gates compile once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/hard_concrete.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void hard_concrete(const HardConcreteArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

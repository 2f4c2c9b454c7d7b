// What dropout compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/dropout.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void dropout(const DropoutArgs& args, int64_t begin, int64_t end);
             void dropout_grad(const DropoutGradArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

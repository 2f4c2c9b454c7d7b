// What the row selection compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/topk_rows.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void topk_rows(const TopkRowsArgs& args, void* keys, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

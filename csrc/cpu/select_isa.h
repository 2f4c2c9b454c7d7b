// What the selection by threshold compiles once per instruction set.
#pragma once

#include "isa.h"
#include "select_pass.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void select_scan(const SelectScores& from, int64_t begin, int64_t end, ScanPass& pass);
             void select_write(const SelectScores& from, int64_t begin, int64_t end,
                               WritePass& pass);)

}  // namespace sgnn::cpu

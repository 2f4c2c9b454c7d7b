// What products with sparse rows compile once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/rows_spmm.h"

namespace sgnn::cpu {

SGNN_PER_ISA(void rows_spmm(const RowsSpmmArgs& args, int64_t begin, int64_t end);
             void rows_spmm_edges(const RowsSpmmArgs& args, int64_t begin, int64_t end);
             void rows_spmm_values(const RowsSpmmArgs& args, int64_t begin, int64_t end);)

}  // namespace sgnn::cpu

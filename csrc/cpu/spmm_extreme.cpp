#include "sgnn/spmm_extreme.h"

#include "spmm_extreme_isa.h"

namespace sgnn {

void spmm_extreme_cpu(const SpmmExtremeArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(spmm_extreme, args, row_begin, row_end);
}

void spmm_extreme_grad_cpu(const SpmmExtremeGradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(spmm_extreme_grad, args, row_begin, row_end);
}

}  // namespace sgnn

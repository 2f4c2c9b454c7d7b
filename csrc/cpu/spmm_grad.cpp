#include "sgnn/spmm_grad.h"

#include "spmm_grad_isa.h"

namespace sgnn {

void spmm_grad_cpu(const SpmmGradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(spmm_grad, args, row_begin, row_end);
}

}  // namespace sgnn

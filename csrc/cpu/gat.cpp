#include "sgnn/gat.h"

#include "gat_isa.h"

namespace sgnn {

void gat_cpu(const GatArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(gat, args, row_begin, row_end);
}

void gat_grad_targets_cpu(const GatTargetsArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(gat_grad_targets, args, row_begin, row_end);
}

void gat_grad_cpu(const GatGradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(gat_grad, args, row_begin, row_end);
}

}  // namespace sgnn

#include "sgnn/gatv2.h"

#include "gatv2_isa.h"

namespace sgnn {

void gatv2_cpu(const Gatv2Args& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(gatv2, args, row_begin, row_end);
}

void gatv2_grad_targets_cpu(const Gatv2GradArgs& args, int64_t row_begin, int64_t row_end,
                            void* grad_att) {
  SGNN_CALL_ISA(gatv2_grad_targets, args, row_begin, row_end, grad_att);
}

void gatv2_grad_sources_cpu(const Gatv2GradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(gatv2_grad_sources, args, row_begin, row_end);
}

}  // namespace sgnn

#include "sgnn/dropout.h"

#include "dropout_isa.h"

namespace sgnn {

void dropout_cpu(const DropoutArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(dropout, args, begin, end);
}

void dropout_grad_cpu(const DropoutGradArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(dropout_grad, args, begin, end);
}

}  // namespace sgnn

#include "sgnn/sparse_linear.h"

#include "isa.h"

namespace sgnn {

void sparse_linear_cpu(const SparseLinearArgs& args, int64_t sample_begin, int64_t sample_end) {
  SGNN_CALL_ISA(sparse_linear, args, sample_begin, sample_end);
}

void sparse_linear_grad_cpu(const SparseLinearGradArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(sparse_linear_grad, args, row_begin, row_end);
}

}  // namespace sgnn

#include "sgnn/spmm.h"

#include "isa.h"

namespace sgnn {

void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(spmm, args, row_begin, row_end);
}

}  // namespace sgnn

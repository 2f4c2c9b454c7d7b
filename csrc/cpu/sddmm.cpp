#include "sgnn/sddmm.h"

#include "sddmm_isa.h"

namespace sgnn {

void sddmm_cpu(const SddmmArgs& args, int64_t row_begin, int64_t row_end) {
  SGNN_CALL_ISA(sddmm, args, row_begin, row_end);
}

}  // namespace sgnn

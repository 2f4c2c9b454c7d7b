#include "sgnn/dropout.h"

#include "dropout_isa.h"

namespace sgnn {

void dropout_cpu(const DropoutArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(dropout, args, begin, end);
}

}  // namespace sgnn

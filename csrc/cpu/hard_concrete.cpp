#include "sgnn/hard_concrete.h"

#include "hard_concrete_isa.h"

namespace sgnn {

void hard_concrete_cpu(const HardConcreteArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(hard_concrete, args, begin, end);
}

}  // namespace sgnn

// Compiled once per instruction set.
#include "spmm_grad_isa.h"

#include "sgnn/dispatch.h"
#include "spmm_grad_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void spmm_grad(const SpmmGradArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SpmmGradRows<typename decltype(type)::type>(args).run(begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

// Compiled once per instruction set.
#include "block_linear_isa.h"

#include "block_linear_grad_panels.h"
#include "block_linear_panels.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {

void block_linear(const BlockLinearArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      block_linear_panels<T, typename decltype(index)::type>(args, begin, end);
    });
  });
}

void block_linear_grad(const BlockLinearGradArgs& args, const BlockGradPart& part) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      block_linear_grad_panels<T, typename decltype(index)::type>(args, part);
    });
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

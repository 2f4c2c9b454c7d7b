// Compiled once per instruction set.
#include "spmm_extreme_isa.h"

#include "sgnn/dispatch.h"
#include "spmm_extreme_grad_rows.h"
#include "spmm_extreme_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void spmm_extreme(const SpmmExtremeArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (args.arg != nullptr) return SpmmExtremeRows<T, true>(args).run(begin, end);
    SpmmExtremeRows<T, false>(args).run(begin, end);
  });
}

void spmm_extreme_grad(const SpmmExtremeGradArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SpmmExtremeGradRows<typename decltype(type)::type>(args).run(begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

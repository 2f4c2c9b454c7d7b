// Compiled once per instruction set.
#include "spmm_isa.h"

#include "sgnn/dispatch.h"
#include "spmm_push.h"
#include "spmm_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SpmmRows<typename decltype(type)::type>(args).run(begin, end, first, last);
  });
}

void spmm_push(const SpmmArgs& args, const CsrArg& by_source, int64_t first, int64_t last) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    constexpr int64_t kLine = 64;
    SpmmPush<T> product(args, by_source);
    if ((last - first) * static_cast<int64_t>(sizeof(acc_t<T>)) <= kLine) {
      product.template run<kLine / kVectorBytes>(first, last);
    } else {
      product.template run<2 * kLine / kVectorBytes>(first, last);
    }
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

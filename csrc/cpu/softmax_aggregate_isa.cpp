// Compiled once per instruction set.
#include "softmax_aggregate_isa.h"

#include "sgnn/dispatch.h"
#include "softmax_aggregate_grad_rows.h"
#include "softmax_aggregate_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void softmax_aggregate(const SoftmaxAggregateArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SoftmaxAggregateRows<typename decltype(type)::type>(args).run(begin, end);
  });
}

void softmax_aggregate_grad(const SoftmaxAggregateGradArgs& args, int64_t begin, int64_t end,
                            void* dt) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    SoftmaxAggregateGradRows<T> rows(args);
    rows.run(begin, end);
    if (dt != nullptr) rows.write_dt(static_cast<acc_t<T>*>(dt));
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

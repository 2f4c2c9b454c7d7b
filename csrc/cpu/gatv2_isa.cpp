// Compiled once per instruction set.
#include "gatv2_isa.h"

#include "attend_rows.h"
#include "attention_dispatch.h"
#include "gatv2_grad_rows.h"
#include "gatv2_scores.h"

namespace sgnn::cpu::SGNN_ISA {

void gatv2(const Gatv2Args& args, int64_t begin, int64_t end) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    using T = typename decltype(type)::type;
    constexpr HeadShape kShape = decltype(shape)::value;
    AttendRows<T, kShape, Gatv2Scores<T, kShape>, Gatv2Args>(args).run(begin, end);
  });
}

void gatv2_grad_targets(const Gatv2GradArgs& args, int64_t begin, int64_t end, void* grad_att) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    using T = typename decltype(type)::type;
    Gatv2GradRows<T, decltype(shape)::value, true> rows(args);
    rows.run(begin, end);
    rows.write_att(static_cast<acc_t<T>*>(grad_att));
  });
}

void gatv2_grad_sources(const Gatv2GradArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    Gatv2GradRows<typename decltype(type)::type, decltype(shape)::value, false>(args).run(begin,
                                                                                          end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

// Compiled once per instruction set.
#include "gat_isa.h"

#include "attend_rows.h"
#include "attention_dispatch.h"
#include "gat_grad_rows.h"
#include "gat_scores.h"

namespace sgnn::cpu::SGNN_ISA {
void gat(const GatArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    using T = typename decltype(type)::type;
    constexpr HeadShape kShape = decltype(shape)::value;
    if (args.positive != nullptr) {
      AttendRows<T, kShape, GatScores<acc_t<T>, true>, GatArgs>(args).run(begin, end);
    } else {
      AttendRows<T, kShape, GatScores<acc_t<T>, false>, GatArgs>(args).run(begin, end);
    }
  });
}

void gat_grad_targets(const GatTargetsArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    GatGradTargets<typename decltype(type)::type, decltype(shape)::value>(args).run(begin, end);
  });
}

void gat_grad(const GatGradArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args.dtype, args.width, [&](auto type, auto shape) {
    GatGradSources<typename decltype(type)::type, decltype(shape)::value>(args).run(begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

// Compiled once per instruction set.
#include "gat_isa.h"

#include "gat_grad_rows.h"
#include "gat_rows.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

template <HeadShape kShape>
struct ShapeTag {
  static constexpr HeadShape value = kShape;
};

// Calls fn(TypeTag<T>, ShapeTag) with the storage type and how heads lie in its vectors.
template <typename Fn>
void dispatch_shape(const GatInputs& args, Fn&& fn) {
  dispatch_dtype(args.dtype, [&](auto type) {
    switch (head_shape<acc_t<typename decltype(type)::type>>(args.width)) {
      case HeadShape::kWide:
        return fn(type, ShapeTag<HeadShape::kWide>{});
      case HeadShape::kNarrow:
        return fn(type, ShapeTag<HeadShape::kNarrow>{});
      case HeadShape::kOdd:
        return fn(type, ShapeTag<HeadShape::kOdd>{});
    }
  });
}

}  // namespace

void gat(const GatArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args, [&](auto type, auto shape) {
    using T = typename decltype(type)::type;
    if (args.positive != nullptr) {
      GatRows<T, decltype(shape)::value, true>(args).run(begin, end);
    } else {
      GatRows<T, decltype(shape)::value, false>(args).run(begin, end);
    }
  });
}

void gat_grad_targets(const GatGradArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args, [&](auto type, auto shape) {
    GatGradTargets<typename decltype(type)::type, decltype(shape)::value>(args).run(begin, end);
  });
}

void gat_grad_sources(const GatGradArgs& args, int64_t begin, int64_t end) {
  dispatch_shape(args, [&](auto type, auto shape) {
    GatGradSources<typename decltype(type)::type, decltype(shape)::value>(args).run(begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

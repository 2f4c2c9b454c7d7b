// The storage type of an attention operator, and how its heads lie in vectors.
#pragma once

#include "column_heads.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {

template <HeadShape kShape>
struct ShapeTag {
  static constexpr HeadShape value = kShape;
};

// Calls fn(TypeTag<T>, ShapeTag) with the storage type and how heads lie in its vectors.
template <typename Fn>
void dispatch_shape(DType dtype, int64_t width, Fn&& fn) {
  dispatch_dtype(dtype, [&](auto type) {
    switch (head_shape<acc_t<typename decltype(type)::type>>(width)) {
      case HeadShape::kWide:
        return fn(type, ShapeTag<HeadShape::kWide>{});
      case HeadShape::kNarrow:
        return fn(type, ShapeTag<HeadShape::kNarrow>{});
      case HeadShape::kOdd:
        return fn(type, ShapeTag<HeadShape::kOdd>{});
    }
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

// The one place where run-time types become template parameters.
#pragma once

#include "sgnn/types.h"

namespace sgnn {

template <typename T>
struct TypeTag {
  using type = T;
};

// Calls fn(TypeTag<T>{}) with the storage type named by `dtype`.
template <typename Fn>
inline void dispatch_dtype(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kFloat32:
      return fn(TypeTag<float>{});
    case DType::kFloat64:
      return fn(TypeTag<double>{});
    case DType::kFloat16:
      return fn(TypeTag<Half>{});
    case DType::kBFloat16:
      return fn(TypeTag<BFloat16>{});
  }
}

// Calls fn(TypeTag<A>{}) with the accumulator type named by `dtype`: double for fp64, else float.
template <typename Fn>
inline void dispatch_acc(DType dtype, Fn&& fn) {
  if (dtype == DType::kFloat64) return fn(TypeTag<double>{});
  fn(TypeTag<float>{});
}

// Calls fn(TypeTag<Index>{}) with the index type named by `index_type`.
template <typename Fn>
inline void dispatch_index(IndexType index_type, Fn&& fn) {
  switch (index_type) {
    case IndexType::kInt32:
      return fn(TypeTag<int32_t>{});
    case IndexType::kInt64:
      return fn(TypeTag<int64_t>{});
  }
}

}  // namespace sgnn

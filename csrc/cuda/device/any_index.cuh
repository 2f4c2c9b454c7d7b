// CSR whose index type is chosen at run time: for kernels that read few indices for much work, and
// would be compiled twice for them otherwise.
#pragma once

#include <cstdint>

#include "device/platform.cuh"
#include "sgnn/csr.h"

namespace sgnn {

struct AnyIndex {
  const void* data;
  bool wide;

  __device__ __forceinline__ int64_t operator[](int64_t i) const {
    return wide ? static_cast<const int64_t*>(data)[i]
                : static_cast<int64_t>(static_cast<const int32_t*>(data)[i]);
  }
};

struct AnyCsr {
  int64_t num_rows;
  int64_t nnz;
  AnyIndex rowptr;
  AnyIndex col;
  AnyIndex edge_id;  // null: identity

  __device__ __forceinline__ int64_t value_index(int64_t position) const {
    return edge_id.data == nullptr ? position : edge_id[position];
  }

  // The row of a stored position.
  __device__ __forceinline__ int64_t row_of(int64_t position) const {
    int64_t low = 0;
    int64_t high = num_rows;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      if (rowptr[middle] <= position) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

inline AnyCsr any_csr(const CsrArg& arg) {
  const bool wide = arg.index_type == IndexType::kInt64;
  return {arg.num_rows, arg.nnz, {arg.rowptr, wide}, {arg.col, wide}, {arg.edge_id, wide}};
}

}  // namespace sgnn

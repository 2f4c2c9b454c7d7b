// Compressed sparse rows, type-erased at the contract and typed inside a kernel.
#pragma once

#include <cstdint>

#include "sgnn/macros.h"
#include "sgnn/types.h"

namespace sgnn {

// One CSR matrix at an operator's boundary. `rowptr` [num_rows + 1], `col` [nnz] and `edge_id`
// [nnz] have type `index_type`. `edge_id` maps a stored position to the place of its value in
// per-edge arrays; null means the identity. Columns lie in [0, num_cols), edge ids in [0, nnz).
struct CsrArg {
  int64_t num_rows = 0;
  int64_t num_cols = 0;
  int64_t nnz = 0;
  const void* rowptr = nullptr;
  const void* col = nullptr;
  const void* edge_id = nullptr;
  IndexType index_type = IndexType::kInt32;
};

template <typename Index>
struct CsrView {
  int64_t num_rows;
  int64_t num_cols;
  int64_t nnz;
  const Index* rowptr;
  const Index* col;
  const Index* edge_id;  // null: identity

  SGNN_HD int64_t value_index(int64_t position) const {
    return edge_id == nullptr ? position : static_cast<int64_t>(edge_id[position]);
  }
};

template <typename Index>
inline CsrView<Index> view_csr(const CsrArg& arg) {
  return {arg.num_rows,
          arg.num_cols,
          arg.nnz,
          static_cast<const Index*>(arg.rowptr),
          static_cast<const Index*>(arg.col),
          static_cast<const Index*>(arg.edge_id)};
}

}  // namespace sgnn

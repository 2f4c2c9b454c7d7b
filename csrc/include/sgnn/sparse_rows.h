// Sparse rows: an operand whose rows hold a few values and the columns they stand at.
//
// Two forms. Fixed: row i holds entries [i * k, (i + 1) * k), ids of the narrowest type that counts
// to num_cols. CSR: row i holds entries [rowptr[i], rowptr[i + 1]), rowptr and ids both int32 or
// both int64. Columns ascend within a row; only the CSR form may repeat one.
#pragma once

#include <cstdint>

#include "sgnn/dispatch.h"
#include "sgnn/macros.h"
#include "sgnn/types.h"

namespace sgnn {

enum class IdType : int32_t { kUint8, kInt16, kInt32, kInt64 };

inline int64_t id_bytes(IdType type) {
  if (type == IdType::kUint8) return 1;
  if (type == IdType::kInt16) return 2;
  return type == IdType::kInt32 ? 4 : 8;
}

// The type of the ids of fixed rows with this many columns.
inline IdType id_type_for(int64_t num_cols) {
  if (num_cols <= 256) return IdType::kUint8;
  return num_cols <= 32768 ? IdType::kInt16 : IdType::kInt32;
}

struct RowsArg {
  int64_t num_rows = 0;
  int64_t num_cols = 0;
  int64_t nnz = 0;
  int64_t k = 0;                 // entries of every row of the fixed form
  const void* rowptr = nullptr;  // [num_rows + 1] of the CSR form, null for the fixed form
  const void* ids = nullptr;     // [nnz]
  IdType id_type = IdType::kUint8;
  const void* values = nullptr;  // T [nnz]
};

template <typename Id>
struct RowsView {
  int64_t num_rows;
  int64_t num_cols;
  int64_t k;
  const Id* rowptr;  // null: fixed
  const Id* ids;

  SGNN_HD int64_t begin(int64_t row) const {
    return rowptr == nullptr ? row * k : static_cast<int64_t>(rowptr[row]);
  }
  SGNN_HD int64_t end(int64_t row) const { return begin(row + 1); }
};

template <typename Id>
inline RowsView<Id> view_rows(const RowsArg& arg) {
  return {arg.num_rows, arg.num_cols, arg.k, static_cast<const Id*>(arg.rowptr),
          static_cast<const Id*>(arg.ids)};
}

// Calls fn(TypeTag<Id>{}) with the type of ids named by `type`.
template <typename Fn>
inline void dispatch_ids(IdType type, Fn&& fn) {
  switch (type) {
    case IdType::kUint8:
      return fn(TypeTag<uint8_t>{});
    case IdType::kInt16:
      return fn(TypeTag<int16_t>{});
    case IdType::kInt32:
      return fn(TypeTag<int32_t>{});
    case IdType::kInt64:
      return fn(TypeTag<int64_t>{});
  }
}

}  // namespace sgnn

// Reads a CSR matrix whose index type is known at run time only, so that no loop has to be compiled
// once per index type. Columns come as 32 bits: a CPU kernel takes fewer than 2^32 columns.
#pragma once

#include <cstring>

#include "sgnn/csr.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

class CsrReader {
 public:
  explicit CsrReader(const CsrArg& csr) : csr_(csr), wide_(csr.index_type == IndexType::kInt64) {}

  int64_t num_rows() const { return csr_.num_rows; }
  int64_t nnz() const { return csr_.nnz; }
  // Whether positions are edge ids.
  bool in_order() const { return csr_.edge_id == nullptr; }

  // First stored position of a row; of num_rows: the end.
  SGNN_INLINE int64_t begin(int64_t row) const { return at(csr_.rowptr, row); }
  SGNN_INLINE int64_t column(int64_t position) const { return at(csr_.col, position); }
  SGNN_INLINE int64_t id(int64_t position) const {
    return in_order() ? position : at(csr_.edge_id, position);
  }

  // Columns of positions [begin, begin + count): where they lie, or copied to `buffer`.
  const uint32_t* columns(int64_t begin, int64_t count, uint32_t* buffer) const {
    if (!wide_) return static_cast<const uint32_t*>(csr_.col) + begin;
    const int64_t* col = static_cast<const int64_t*>(csr_.col) + begin;
    for (int64_t k = 0; k < count; ++k) buffer[k] = static_cast<uint32_t>(col[k]);
    return buffer;
  }

  // Calls fn(k, id) for positions begin + k, k < count.
  template <typename Fn>
  SGNN_INLINE void for_each_id(int64_t begin, int64_t count, const Fn& fn) const {
    if (in_order()) {
      for (int64_t k = 0; k < count; ++k) fn(k, begin + k);
    } else if (wide_) {
      const int64_t* id = static_cast<const int64_t*>(csr_.edge_id) + begin;
      for (int64_t k = 0; k < count; ++k) fn(k, id[k]);
    } else {
      const int32_t* id = static_cast<const int32_t*>(csr_.edge_id) + begin;
      for (int64_t k = 0; k < count; ++k) fn(k, static_cast<int64_t>(id[k]));
    }
  }

 private:
  SGNN_INLINE int64_t at(const void* array, int64_t k) const {
    return wide_ ? static_cast<const int64_t*>(array)[k]
                 : static_cast<int64_t>(static_cast<const int32_t*>(array)[k]);
  }

  const CsrArg csr_;
  const bool wide_;
};

}  // namespace sgnn::cpu::SGNN_ISA

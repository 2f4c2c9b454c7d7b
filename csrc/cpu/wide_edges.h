// A run of stored positions made ready for a gather: columns, ids and coefficients of the kept
// edges, packed. Indices are widened here, so that the loops behind are compiled for one index
// type.
#pragma once

#include "sgnn/bitmask.h"
#include "sgnn/csr.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class WideEdges {
 public:
  static constexpr int kSize = 256;
  static constexpr int kAhead = 32;  // columns known past the run, for prefetches

  // `sign` multiplies every coefficient.
  WideEdges(const CsrArg& csr, const void* weight, const void* mask, const uint8_t* bits, A sign)
      : csr_(csr),
        weight_(static_cast<const A*>(weight)),
        mask_(static_cast<const A*>(mask)),
        bits_(bits),
        sign_(sign) {
    for (A& coefficient : coefficient_) coefficient = sign;
  }

  // Takes positions [begin, end), at most kSize.
  void load(int64_t begin, int64_t end) {
    begin_ = begin;
    if (csr_.index_type == IndexType::kInt32) return take(view_csr<int32_t>(csr_), begin, end);
    take(view_csr<int64_t>(csr_), begin, end);
  }

  int count() const { return count_; }

  // Slot of the first kept edge from `position` on.
  int slot(int64_t position) const {
    const int64_t offset = position - begin_;
    return bits_ == nullptr ? static_cast<int>(offset) : kept_before_[offset];
  }

  SGNN_INLINE int64_t col(int slot) const { return col_[slot]; }
  SGNN_INLINE A coefficient(int slot) const { return coefficient_[slot]; }
  SGNN_INLINE int64_t id(int slot) const { return id_[slot]; }

  // Where a row begins in the stored positions.
  SGNN_INLINE int64_t row_begin(int64_t row) const {
    if (csr_.index_type == IndexType::kInt32) return static_cast<const int32_t*>(csr_.rowptr)[row];
    return static_cast<const int64_t*>(csr_.rowptr)[row];
  }

 private:
  template <typename Index>
  void take(const CsrView<Index>& csr, int64_t begin, int64_t end) {
    const int size = static_cast<int>(end - begin);
    if (bits_ == nullptr) {
      take_all(csr, begin, size);
    } else {
      take_kept(csr, begin, size);
    }
    for (int k = 0; k < kAhead; ++k) {
      col_[count_ + k] = csr.col[end + k < csr.nnz ? end + k : csr.nnz - 1];
    }
    if (weight_ == nullptr && mask_ == nullptr) return;
    for (int k = 0; k < count_; ++k) {
      coefficient_[k] = weight_ == nullptr ? sign_ : sign_ * weight_[id_[k]];
    }
    if (mask_ == nullptr) return;
    for (int k = 0; k < count_; ++k) coefficient_[k] *= mask_[id_[k]];
  }

  template <typename Index>
  void take_all(const CsrView<Index>& csr, int64_t begin, int size) {
    count_ = size;
    for (int k = 0; k < size; ++k) col_[k] = csr.col[begin + k];
    if (csr.edge_id == nullptr) {
      for (int k = 0; k < size; ++k) id_[k] = begin + k;
    } else {
      for (int k = 0; k < size; ++k) id_[k] = csr.edge_id[begin + k];
    }
  }

  template <typename Index>
  void take_kept(const CsrView<Index>& csr, int64_t begin, int size) {
    count_ = 0;
    for (int k = 0; k < size; ++k) {
      const int64_t id = csr.value_index(begin + k);
      kept_before_[k] = static_cast<uint16_t>(count_);
      col_[count_] = csr.col[begin + k];
      id_[count_] = id;
      count_ += test_bit(bits_, id) ? 1 : 0;
    }
    kept_before_[size] = static_cast<uint16_t>(count_);
  }

  const CsrArg& csr_;
  const A* weight_;
  const A* mask_;
  const uint8_t* bits_;
  const A sign_;
  int64_t begin_ = 0;
  int count_ = 0;
  A coefficient_[kSize];
  int64_t col_[kSize + kAhead];
  int64_t id_[kSize];
  uint16_t kept_before_[kSize + 1];
};

}  // namespace sgnn::cpu::SGNN_ISA

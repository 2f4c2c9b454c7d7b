// The kept edges of a block of stored positions, as the gather loops read them: columns and
// coefficients side by side. Edges whose values lie in place are read where they are; otherwise the
// values are collected into a buffer for the L1 cache, and dropped edges leave no trace in it.
#pragma once

#include "csr_reader.h"
#include "edge_factors.h"
#include "sgnn/bitmask.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class SpmmStage {
 public:
  // Slots of the block in stored order. Columns may be read, and prefetched, up to `ahead`.
  struct Block {
    const uint32_t* col;
    const A* coefficient;
    int64_t ahead;
  };

  static constexpr int64_t kSlots = 256;

  SpmmStage(const CsrArg& csr, const EdgeFactors<A>& factors)
      : csr_(csr),
        weight_(factors.weight),
        mask_(factors.mask),
        col_scale_(factors.column),
        bits_(factors.bits),
        plain_(mask_ == nullptr && bits_ == nullptr && col_scale_ == nullptr) {
    if (plain_ && weight_ == nullptr) {
      for (A& one : coefficient_) one = A(1);
    }
  }

  const CsrReader& csr() const { return csr_; }
  bool drops() const { return bits_ != nullptr; }

  // Stages positions [begin, end), at most kSlots.
  Block stage(int64_t begin, int64_t end) {
    begin_ = begin;
    const auto count = static_cast<int>(end - begin);
    if (bits_ != nullptr) {
      const int kept = compact(count);
      fill(col_, kept, [&](const auto& use) {
        for (int s = 0; s < kept; ++s) use(s, id_[s]);
      });
      return {col_, coefficient_, kept};
    }
    const uint32_t* col = csr_.columns(begin, count, col_);
    const int64_t ahead = col == col_ ? count : csr_.nnz() - begin;
    if (plain_ && weight_ == nullptr) return {col, coefficient_, ahead};
    if (plain_ && csr_.in_order()) return {col, weight_ + begin, ahead};
    fill(col, count, [&](const auto& use) { csr_.for_each_id(begin_, count, use); });
    return {col, coefficient_, ahead};
  }

  // Edge id of a slot of the block staged last.
  SGNN_INLINE int64_t id(int64_t slot) const {
    return bits_ == nullptr ? csr_.id(begin_ + slot) : id_[slot];
  }

  // Slot of a position in the block, or of the next kept one after it.
  SGNN_INLINE int64_t slot(int64_t begin, int64_t position) const {
    return bits_ == nullptr ? position - begin : slot_[position - begin];
  }

 private:
  // Leaves column and id of every kept edge. Returns their number.
  int compact(int count) {
    const uint32_t* col = csr_.columns(begin_, count, col_);
    int kept = 0;
    csr_.for_each_id(begin_, count, [&](int64_t s, int64_t id) {
      slot_[s] = static_cast<uint16_t>(kept);
      id_[kept] = id;
      col_[kept] = col[s];
      kept += test_bit(bits_, id) ? 1 : 0;
    });
    slot_[count] = static_cast<uint16_t>(kept);
    return kept;
  }

  // each(use) calls use(slot, id) for every slot.
  template <typename Each>
  SGNN_INLINE void fill(const uint32_t* col, int count, const Each& each) {
    if (weight_ == nullptr) {
      for (int s = 0; s < count; ++s) coefficient_[s] = A(1);
    } else {
      each([&](int64_t s, int64_t id) { coefficient_[s] = weight_[id]; });
    }
    if (mask_ != nullptr) each([&](int64_t s, int64_t id) { coefficient_[s] *= mask_[id]; });
    if (col_scale_ != nullptr) {
      for (int s = 0; s < count; ++s) coefficient_[s] *= col_scale_[col[s]];
    }
  }

  const CsrReader csr_;
  const A* weight_;
  const A* mask_;
  const A* col_scale_;
  const uint8_t* bits_;
  const bool plain_;
  int64_t begin_ = 0;
  A coefficient_[kSlots];
  uint32_t col_[kSlots];
  int64_t id_[kSlots];
  uint16_t slot_[kSlots + 1];
};

}  // namespace sgnn::cpu::SGNN_ISA

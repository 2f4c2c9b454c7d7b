// The kept edges of a block of stored positions, as the gather loops read them: columns and
// coefficients side by side. Edges whose values lie in place are read where they are; otherwise the
// values are collected into a buffer for the L1 cache, and dropped edges leave no trace in it.
#pragma once

#include "sgnn/bitmask.h"
#include "sgnn/spmm.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A, typename Index>
class SpmmStage {
 public:
  // Slots of the block in stored order. Columns may be read, and prefetched, up to `ahead`.
  struct Block {
    const Index* col;
    const A* coefficient;
    int64_t ahead;
  };

  static constexpr int64_t kSlots = 256;

  explicit SpmmStage(const SpmmArgs& args)
      : csr_(view_csr<Index>(args.csr)),
        weight_(static_cast<const A*>(args.weight)),
        mask_(static_cast<const A*>(args.mask)),
        col_scale_(static_cast<const A*>(args.col_scale)),
        bits_(args.bits),
        plain_(mask_ == nullptr && bits_ == nullptr && col_scale_ == nullptr),
        in_place_(plain_ && weight_ != nullptr && csr_.edge_id == nullptr) {
    if (plain_ && weight_ == nullptr) {
      for (A& one : coefficient_) one = A(1);
    }
  }

  // Stages positions [begin, end), at most kSlots.
  Block stage(int64_t begin, int64_t end) {
    const Index* col = csr_.col + begin;
    if (in_place_) return {col, weight_ + begin, csr_.nnz - begin};
    if (plain_ && weight_ == nullptr) return {col, coefficient_, csr_.nnz - begin};
    begin_ = begin;
    const int count = static_cast<int>(end - begin);
    if (bits_ == nullptr) {
      fill(col, count, [&](int s) { return csr_.value_index(begin + s); });
      return {col, coefficient_, csr_.nnz - begin};
    }
    const int kept = compact(count);
    fill(col_, kept, [&](int s) { return static_cast<int64_t>(id_[s]); });
    return {col_, coefficient_, kept};
  }

  // Slot of a position in the block, or of the next kept one after it.
  SGNN_INLINE int64_t slot(int64_t begin, int64_t position) const {
    return bits_ == nullptr ? position - begin : slot_[position - begin];
  }

 private:
  // Leaves column and id of every kept edge. Returns their number.
  int compact(int count) {
    int kept = 0;
    for (int s = 0; s < count; ++s) {
      const int64_t id = csr_.value_index(begin_ + s);
      slot_[s] = static_cast<uint16_t>(kept);
      id_[kept] = static_cast<Index>(id);
      col_[kept] = csr_.col[begin_ + s];
      kept += test_bit(bits_, id) ? 1 : 0;
    }
    slot_[count] = static_cast<uint16_t>(kept);
    return kept;
  }

  template <typename IdOf>
  SGNN_INLINE void fill(const Index* col, int count, const IdOf& id_of) {
    for (int s = 0; s < count; ++s) {
      coefficient_[s] = weight_ == nullptr ? A(1) : weight_[id_of(s)];
    }
    if (mask_ != nullptr) {
      for (int s = 0; s < count; ++s) coefficient_[s] *= mask_[id_of(s)];
    }
    if (col_scale_ != nullptr) {
      for (int s = 0; s < count; ++s) coefficient_[s] *= col_scale_[col[s]];
    }
  }

  const CsrView<Index> csr_;
  const A* weight_;
  const A* mask_;
  const A* col_scale_;
  const uint8_t* bits_;
  const bool plain_;
  const bool in_place_;
  int64_t begin_ = 0;
  A coefficient_[kSlots];
  Index col_[kSlots + 1];  // one past: compaction writes before it decides
  Index id_[kSlots + 1];
  uint16_t slot_[kSlots + 1];
};

}  // namespace sgnn::cpu::SGNN_ISA

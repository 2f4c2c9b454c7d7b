// A run of stored positions made ready for a gather: columns, ids and coefficients of the kept
// edges, packed. The lookups of a run wait neither for one another nor for the gather.
#pragma once

#include <cstring>

#include "sgnn/bitmask.h"
#include "sgnn/csr.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

// Optional factors of an edge; null pointers stand for 1 and for "kept".
template <typename A>
struct EdgeFactors {
  const A* weight;      // by edge id
  const A* mask;        // by edge id
  const A* column;      // by column
  const uint8_t* bits;  // by edge id

  bool any() const { return weight != nullptr || mask != nullptr || column != nullptr; }
};

template <typename A, typename Index>
class EdgeBlock {
 public:
  static constexpr int kSize = 128;
  static constexpr int kAhead = 16;  // columns known past the run, for prefetches

  EdgeBlock(const CsrView<Index>& csr, const EdgeFactors<A>& factors)
      : csr_(csr), factors_(factors) {
    for (A& coefficient : coefficient_) coefficient = A(1);
  }

  // Takes the positions [begin, min(begin + kSize, limit)).
  void load(int64_t begin, int64_t limit) {
    begin_ = begin;
    end_ = limit - begin < kSize ? limit : begin + kSize;
    if (factors_.bits == nullptr) {
      take_all();
    } else {
      take_kept();
    }
    if (!factors_.any()) return;
    for (int k = 0; k < count_; ++k) coefficient_[k] = A(1);
    if (factors_.weight != nullptr) multiply_by_id(factors_.weight);
    if (factors_.mask != nullptr) multiply_by_id(factors_.mask);
    if (factors_.column == nullptr) return;
    for (int k = 0; k < count_; ++k) coefficient_[k] *= factors_.column[col_[k]];
  }

  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  int count() const { return count_; }
  // Whether the id of slot k is begin() + k.
  bool in_order() const { return id_ == nullptr; }

  // Slot of the first kept edge from `position` on.
  int slot(int64_t position) const {
    const int64_t offset = position - begin_;
    return factors_.bits == nullptr ? static_cast<int>(offset) : kept_before_[offset];
  }

  SGNN_INLINE int64_t col(int slot) const { return static_cast<int64_t>(col_[slot]); }
  SGNN_INLINE A coefficient(int slot) const { return coefficient_[slot]; }
  int64_t id(int slot) const {
    return id_ == nullptr ? begin_ + slot : static_cast<int64_t>(id_[slot]);
  }

 private:
  // Reads the graph's own arrays, but for the last run: nothing may look past their end.
  void take_all() {
    count_ = static_cast<int>(end_ - begin_);
    id_ = csr_.edge_id == nullptr ? nullptr : csr_.edge_id + begin_;
    col_ = csr_.col + begin_;
    if (end_ + kAhead <= csr_.nnz) return;
    memcpy(own_col_, col_, sizeof(Index) * static_cast<size_t>(count_));
    look_ahead();
  }

  void take_kept() {
    const int size = static_cast<int>(end_ - begin_);
    count_ = 0;
    for (int k = 0; k < size; ++k) {
      const int64_t id = csr_.value_index(begin_ + k);
      kept_before_[k] = static_cast<uint8_t>(count_);
      own_col_[count_] = csr_.col[begin_ + k];
      own_id_[count_] = static_cast<Index>(id);
      count_ += test_bit(factors_.bits, id) ? 1 : 0;
    }
    kept_before_[size] = static_cast<uint8_t>(count_);
    id_ = own_id_;
    look_ahead();
  }

  void look_ahead() {
    for (int k = 0; k < kAhead; ++k) {
      own_col_[count_ + k] = csr_.col[end_ + k < csr_.nnz ? end_ + k : csr_.nnz - 1];
    }
    col_ = own_col_;
  }

  void multiply_by_id(const A* values) {
    const A* run = values + begin_;
    if (id_ == nullptr) {
      for (int k = 0; k < count_; ++k) coefficient_[k] *= run[k];
    } else {
      for (int k = 0; k < count_; ++k) coefficient_[k] *= values[id_[k]];
    }
  }

  const CsrView<Index>& csr_;
  const EdgeFactors<A> factors_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int count_ = 0;
  const Index* col_ = nullptr;
  const Index* id_ = nullptr;  // null: positions are ids
  A coefficient_[kSize];
  Index own_col_[kSize + kAhead];
  Index own_id_[kSize];
  uint8_t kept_before_[kSize + 1];
};

// Zeroes the per-edge results of rows [begin, end).
template <typename A, typename Index>
inline void clear_edges(const CsrView<Index>& csr, int64_t begin, int64_t end, A* out) {
  const int64_t last = static_cast<int64_t>(csr.rowptr[end]);
  for (int64_t e = static_cast<int64_t>(csr.rowptr[begin]); e < last; ++e) {
    out[csr.value_index(e)] = A(0);
  }
}

// One dot product per edge of a block, written together.
template <typename A, typename Index>
class BlockDots {
 public:
  using Block = EdgeBlock<A, Index>;

  // Stores the sums of the lanes of partial[0 .. 4) as the dot products of four slots. Those past
  // the last edge at hand are overwritten by the edges that follow.
  SGNN_INLINE void put4(int slot, const vec_t<A>* partial) {
    horizontal_sum4<A>(partial, dot_ + slot);
  }
  SGNN_INLINE void set_factor(int slot, A factor) { factor_[slot] = factor; }

  // out[id] = dot for the first tile of columns, += dot for the others, and times the factor, when
  // `scale` is set.
  void write(const Block& block, bool first, bool scale, A* out) {
    const int count = block.count();
    if (!first) {
      for (int k = 0; k < count; ++k) dot_[k] += out[block.id(k)];
    }
    if (scale) {
      for (int k = 0; k < count; ++k) dot_[k] *= factor_[k];
    }
    if (block.in_order()) {
      memcpy(out + block.begin(), dot_, sizeof(A) * static_cast<size_t>(count));
    } else {
      for (int k = 0; k < count; ++k) out[block.id(k)] = dot_[k];
    }
  }

 private:
  A dot_[Block::kSize + 3];
  A factor_[Block::kSize];
};

}  // namespace sgnn::cpu::SGNN_ISA

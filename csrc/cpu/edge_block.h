// A run of stored positions made ready for a gather: columns, ids and coefficients of the kept
// edges, packed. The lookups of a run wait neither for one another nor for the gather.
#pragma once

#include <cstring>

#include "csr_reader.h"
#include "edge_factors.h"
#include "sgnn/bitmask.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class EdgeBlock {
 public:
  static constexpr int kSize = 128;
  static constexpr int kAhead = 16;  // columns known past the run, for prefetches

  EdgeBlock(const CsrReader& csr, const EdgeFactors<A>& factors) : csr_(csr), factors_(factors) {
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
  bool in_order() const { return factors_.bits == nullptr && csr_.in_order(); }

  // Slot of the first kept edge from `position` on.
  int slot(int64_t position) const {
    const int64_t offset = position - begin_;
    return factors_.bits == nullptr ? static_cast<int>(offset) : kept_before_[offset];
  }

  SGNN_INLINE int64_t col(int slot) const { return static_cast<int64_t>(col_[slot]); }
  SGNN_INLINE A coefficient(int slot) const { return coefficient_[slot]; }
  SGNN_INLINE int64_t id(int slot) const {
    return factors_.bits == nullptr ? csr_.id(begin_ + slot) : own_id_[slot];
  }
  // Calls fn(slot, id) for every slot.
  template <typename Fn>
  SGNN_INLINE void for_each_id(const Fn& fn) const {
    if (factors_.bits == nullptr) return csr_.for_each_id(begin_, count_, fn);
    for (int k = 0; k < count_; ++k) fn(k, own_id_[k]);
  }

 private:
  // Reads the graph's own arrays, but for the last run: nothing may look past their end.
  void take_all() {
    count_ = static_cast<int>(end_ - begin_);
    if (end_ + kAhead <= csr_.nnz()) {
      col_ = csr_.columns(begin_, count_ + kAhead, own_col_);
      return;
    }
    const uint32_t* col = csr_.columns(begin_, count_, own_col_);
    if (col != own_col_) memcpy(own_col_, col, sizeof(uint32_t) * static_cast<size_t>(count_));
    look_ahead();
  }

  void take_kept() {
    const int size = static_cast<int>(end_ - begin_);
    count_ = 0;
    const uint32_t* col = csr_.columns(begin_, size, own_col_);
    csr_.for_each_id(begin_, size, [&](int64_t k, int64_t id) {
      kept_before_[k] = static_cast<uint8_t>(count_);
      own_col_[count_] = col[k];
      own_id_[count_] = id;
      count_ += test_bit(factors_.bits, id) ? 1 : 0;
    });
    kept_before_[size] = static_cast<uint8_t>(count_);
    look_ahead();
  }

  void look_ahead() {
    for (int k = 0; k < kAhead; ++k) {
      const int64_t position = end_ + k < csr_.nnz() ? end_ + k : csr_.nnz() - 1;
      own_col_[count_ + k] = static_cast<uint32_t>(csr_.column(position));
    }
    col_ = own_col_;
  }

  void multiply_by_id(const A* values) {
    for_each_id([&](int64_t k, int64_t id) { coefficient_[k] *= values[id]; });
  }

  const CsrReader& csr_;
  const EdgeFactors<A> factors_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int count_ = 0;
  const uint32_t* col_ = nullptr;
  A coefficient_[kSize];
  uint32_t own_col_[kSize + kAhead];
  int64_t own_id_[kSize];
  uint8_t kept_before_[kSize + 1];
};

// Zeroes the per-edge results of rows [begin, end).
template <typename A>
inline void clear_edges(const CsrReader& csr, int64_t begin, int64_t end, A* out) {
  const int64_t first = csr.begin(begin);
  csr.for_each_id(first, csr.begin(end) - first, [&](int64_t, int64_t id) { out[id] = A(0); });
}

// One dot product per edge of a block, written together.
template <typename A>
class BlockDots {
 public:
  using Block = EdgeBlock<A>;

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
      block.for_each_id([&](int64_t k, int64_t id) { dot_[k] += out[id]; });
    }
    if (scale) {
      for (int k = 0; k < count; ++k) dot_[k] *= factor_[k];
    }
    if (block.in_order()) {
      memcpy(out + block.begin(), dot_, sizeof(A) * static_cast<size_t>(count));
    } else {
      block.for_each_id([&](int64_t k, int64_t id) { out[id] = dot_[k]; });
    }
  }

 private:
  A dot_[Block::kSize + 3];
  A factor_[Block::kSize];
};

}  // namespace sgnn::cpu::SGNN_ISA

// Reads the edges of a row ahead of their use: the kept ones, packed, with their coefficients. The
// type of the indices ends here.
#pragma once

#include "csr_reader.h"
#include "sgnn/bitmask.h"
#include "sgnn/rows_spmm.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class EdgeStage {
 public:
  static constexpr int kEdges = 64;

  // `with_weight`: whether a coefficient includes the edge's weight.
  EdgeStage(const RowsSpmmArgs& args, bool with_weight)
      : csr_(args.csr),
        weight_(with_weight ? static_cast<const A*>(args.weight) : nullptr),
        scale_(static_cast<const A*>(args.col_scale)),
        bits_(args.bits) {}

  int64_t begin_of(int64_t row) const { return csr_.begin(row); }

  // Stages the kept edges of positions [first, last), at most kEdges, and calls prefetch(column)
  // for positions that are staged later. Returns how many were kept.
  template <typename Prefetch>
  SGNN_INLINE int fill(int64_t first, int64_t last, const Prefetch& prefetch) {
    int kept = 0;
    for (int64_t e = first; e < last; ++e) {
      if (e + kAhead < csr_.nnz()) prefetch(csr_.column(e + kAhead));
      const int64_t edge = csr_.id(e);
      if (bits_ != nullptr && !test_bit(bits_, edge)) continue;
      const int64_t j = csr_.column(e);
      const A value = weight_ == nullptr ? A(1) : weight_[edge];
      column[kept] = j;
      id[kept] = edge;
      coefficient[kept] = scale_ == nullptr ? value : value * scale_[j];
      ++kept;
    }
    return kept;
  }

  int64_t column[kEdges];
  int64_t id[kEdges];
  A coefficient[kEdges];

 private:
  static constexpr int64_t kAhead = 16;

  const CsrReader csr_;
  const A* const weight_;
  const A* const scale_;
  const uint8_t* const bits_;
};

}  // namespace sgnn::cpu::SGNN_ISA

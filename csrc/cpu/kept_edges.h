// The kept edges of a block of stored positions, packed. Indices are widened here, so that nothing
// behind has to be compiled once per index type.
#pragma once

#include "head_block.h"
#include "sgnn/bitmask.h"
#include "sgnn/csr.h"

namespace sgnn::cpu::SGNN_ISA {

class KeptEdges {
 public:
  KeptEdges(const CsrArg& csr, const uint8_t* bits) : csr_(csr), bits_(bits) {}

  int64_t count = 0;
  int64_t column[kBlockEdges];
  int64_t id[kBlockEdges];
  int64_t ahead[kBlockEdges];  // the column some positions later: worth a prefetch

  // Calls block() for every block of `row` that keeps an edge, and drop(id) for dropped edges.
  template <typename Drop, typename Block>
  SGNN_INLINE void for_each_block(int64_t row, const Drop& drop, const Block& block) {
    if (csr_.index_type == IndexType::kInt32)
      return walk(view_csr<int32_t>(csr_), row, drop, block);
    walk(view_csr<int64_t>(csr_), row, drop, block);
  }

 private:
  static constexpr int64_t kAhead = 12;

  template <typename Index, typename Drop, typename Block>
  SGNN_INLINE void walk(const CsrView<Index>& csr, int64_t row, const Drop& drop,
                        const Block& block) {
    const int64_t end = static_cast<int64_t>(csr.rowptr[row + 1]);
    for (int64_t e = static_cast<int64_t>(csr.rowptr[row]); e < end; e += kBlockEdges) {
      take(csr, e, e + kBlockEdges < end ? e + kBlockEdges : end, drop);
      if (count > 0) block();
    }
  }

  template <typename Index, typename Drop>
  SGNN_INLINE void take(const CsrView<Index>& csr, int64_t begin, int64_t end, const Drop& drop) {
    count = 0;
    for (int64_t e = begin; e < end; ++e) {
      const int64_t edge = csr.value_index(e);
      if (bits_ != nullptr && !test_bit(bits_, edge)) {
        drop(edge);
        continue;
      }
      column[count] = static_cast<int64_t>(csr.col[e]);
      ahead[count] = static_cast<int64_t>(csr.col[e + kAhead < csr.nnz ? e + kAhead : csr.nnz - 1]);
      id[count++] = edge;
    }
  }

  const CsrArg& csr_;
  const uint8_t* bits_;
};

}  // namespace sgnn::cpu::SGNN_ISA

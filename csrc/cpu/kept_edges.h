// The kept edges of a block of stored positions, packed. Indices are widened here, so that nothing
// behind has to be compiled once per index type.
#pragma once

#include "csr_reader.h"
#include "head_block.h"
#include "sgnn/bitmask.h"

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
    const int64_t end = csr_.begin(row + 1);
    for (int64_t e = csr_.begin(row); e < end; e += kBlockEdges) {
      take(e, e + kBlockEdges < end ? e + kBlockEdges : end, drop);
      if (count > 0) block();
    }
  }

 private:
  static constexpr int64_t kAhead = 12;

  template <typename Drop>
  SGNN_INLINE void take(int64_t begin, int64_t end, const Drop& drop) {
    const int64_t last = csr_.nnz() - 1;
    count = 0;
    for (int64_t e = begin; e < end; ++e) {
      const int64_t edge = csr_.id(e);
      if (bits_ != nullptr && !test_bit(bits_, edge)) {
        drop(edge);
        continue;
      }
      column[count] = csr_.column(e);
      ahead[count] = csr_.column(e + kAhead < last ? e + kAhead : last);
      id[count++] = edge;
    }
  }

  const CsrReader csr_;
  const uint8_t* bits_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The kept edges of a block of stored positions, packed.
#pragma once

#include "head_block.h"
#include "sgnn/bitmask.h"
#include "sgnn/csr.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename Index>
struct KeptEdges {
  int64_t count = 0;
  int64_t column[kBlockEdges];
  int64_t id[kBlockEdges];

  // Takes positions [begin, end), at most kBlockEdges; calls drop(id) for the dropped ones.
  template <typename Drop>
  SGNN_INLINE void take(const CsrView<Index>& csr, const uint8_t* bits, int64_t begin, int64_t end,
                        Drop&& drop) {
    count = 0;
    for (int64_t e = begin; e < end; ++e) {
      const int64_t edge = csr.value_index(e);
      if (bits != nullptr && !test_bit(bits, edge)) {
        drop(edge);
        continue;
      }
      column[count] = static_cast<int64_t>(csr.col[e]);
      id[count++] = edge;
    }
  }
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop bodies of edge_scores and edge_sum over rows [begin, end).
#pragma once

#include "sgnn/bitmask.h"
#include "sgnn/edge_scores.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

// Calls kept(e, id) or dropped(id) for the stored positions of one row.
template <typename Index, typename Kept, typename Dropped>
SGNN_INLINE void for_each_edge(const CsrView<Index>& csr, const uint8_t* bits, int64_t row,
                               Kept&& kept, Dropped&& dropped) {
  const int64_t end = static_cast<int64_t>(csr.rowptr[row + 1]);
  for (int64_t e = static_cast<int64_t>(csr.rowptr[row]); e < end; ++e) {
    const int64_t id = csr.value_index(e);
    if (bits != nullptr && !test_bit(bits, id)) {
      dropped(id);
    } else {
      kept(e, id);
    }
  }
}

template <typename A, typename Index>
void edge_scores_rows(const EdgeScoresArgs& args, int64_t begin, int64_t end) {
  const CsrView<Index> csr = view_csr<Index>(args.csr);
  const auto* dst = static_cast<const A*>(args.dst);
  const auto* src = static_cast<const A*>(args.src);
  auto* out = static_cast<A*>(args.out);
  const int64_t heads = args.heads;
  const A slope = static_cast<A>(args.negative_slope);
  for (int64_t row = begin; row < end; ++row) {
    for_each_edge(
        csr, args.bits, row,
        [&](int64_t e, int64_t id) {
          const int64_t column = static_cast<int64_t>(csr.col[e]);
          for (int64_t h = 0; h < heads; ++h) {
            const A left = dst != nullptr ? dst[row * heads + h] : A(0);
            const A sum = left + (src != nullptr ? src[column * heads + h] : A(0));
            out[id * heads + h] = sum > A(0) ? sum : slope * sum;
          }
        },
        [&](int64_t id) {
          for (int64_t h = 0; h < heads; ++h) out[id * heads + h] = A(0);
        });
  }
}

template <typename A, typename Index>
void edge_sum_rows(const EdgeSumArgs& args, int64_t begin, int64_t end) {
  const CsrView<Index> csr = view_csr<Index>(args.csr);
  const auto* values = static_cast<const A*>(args.values);
  const int64_t heads = args.heads;
  for (int64_t row = begin; row < end; ++row) {
    A* sum = static_cast<A*>(args.out) + row * heads;
    for (int64_t h = 0; h < heads; ++h) sum[h] = A(0);
    for_each_edge(
        csr, args.bits, row,
        [&](int64_t, int64_t id) {
          for (int64_t h = 0; h < heads; ++h) sum[h] += values[id * heads + h];
        },
        [](int64_t) {});
  }
}

}  // namespace sgnn::cpu::SGNN_ISA

// Short rows of SpMM: a lane group sums a row of its own, so that narrow rows leave no lane idle
// and a warp waits for several rows at once.
#pragma once

#include "spmm_finish.cuh"
#include "spmm_sum.cuh"

namespace sgnn {

// Longer rows are left to the whole warp.
inline constexpr int64_t kShortRow = 32;

// Sums positions [first, end) of one row by one lane group. Every lane of it reads the same edge.
template <bool kAligned, typename T, typename Index>
__device__ __forceinline__ int64_t sum_short_row(const SpmmParams<T, Index>& p, int64_t first,
                                                 int64_t end, const Tile<T, kAligned>& tile,
                                                 acc_t<T>* sum) {
  using Acc = acc_t<T>;
  constexpr int kStep = kSpmmSteps<kAligned>;
  int64_t kept = 0;
  for (; first < end; first += kStep) {
    Pack<T> pack[kStep];
    Acc coefficient[kStep];
    bool keep[kStep];
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      const int64_t position = first + s < end ? first + s : end - 1;
      const int64_t id = p.csr.value_index(position);
      const int64_t col = p.csr.col[position];
      keep[s] = first + s < end && p.factors.keeps(id);
      coefficient[s] = p.factors.coefficient(id, col);
      // A dropped edge loads row 0, which is in the cache, and adds none of it.
      pack[s] = tile.load(p.x + (keep[s] ? col * p.x_stride : 0));
    }
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      kept += keep[s] ? 1 : 0;
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        const Acc value = to_acc(pack[s].item[i]);
        sum[i] += (keep[s] ? coefficient[s] : Acc(0)) * (keep[s] ? value : Acc(0));
      }
    }
  }
  return kept;
}

// Computes the short ones of rows [first_row, first_row + groups), one per lane group. Returns a
// bit at the first lane of every group whose row is longer but no hub.
template <bool kAligned, typename T, typename Index>
__device__ __forceinline__ unsigned sum_short_rows(const SpmmParams<T, Index>& p,
                                                   int64_t first_row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int lanes = p.shape.lanes;
  const Span span = row_span(p.csr, p.split, first_row + lane / lanes);
  const bool is_short = span.end - span.begin <= kShortRow;
  if (span.row >= 0 && is_short) {
    const Tile<T, kAligned> tile(0, lane % lanes, lanes, p.width);
    acc_t<T> sum[kItems<T>] = {};
    const int64_t kept = sum_short_row<kAligned>(p, span.begin, span.end, tile, sum);
    write_row(p, span.row, kept, tile, sum);
  }
  return __ballot_sync(kFullWarp, span.row >= 0 && !is_short && lane % lanes == 0);
}

}  // namespace sgnn

// What follows the sums of SpMM: y is written once, in its final form.
#pragma once

#include "spmm_sum.cuh"

namespace sgnn {

// y[row] = act(scale * sum + bias) on the tile's columns, written by the first lane group.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_row(const SpmmParams<T, Index>& p, int64_t row, int64_t kept,
                                          const Tile<T, kAligned>& tile, const acc_t<T>* sum) {
  using Acc = acc_t<T>;
  Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[row];
  if (p.mean) scale /= static_cast<Acc>(kept);
  const Acc row_bias = p.row_bias == nullptr ? Acc(0) : p.row_bias[row];
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    Acc value = (kept > 0 ? scale * sum[i] : Acc(0)) + row_bias;
    if (p.bias != nullptr && tile.inside(i)) value += p.bias[tile.column(i)];
    if (p.relu && value < Acc(0)) value = Acc(0);
    pack.item[i] = from_acc<T>(value);
  }
  tile.store(p.y + row * p.width, pack);
}

}  // namespace sgnn

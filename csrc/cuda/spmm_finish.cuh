// What follows the sums of SpMM: y is written once, in its final form.
#pragma once

#include <type_traits>

#include "sgnn/random.h"
#include "spmm_sum.cuh"

namespace sgnn {

// Whether dropout keeps each of the lane's items of `row`. The items of an aligned tile share one
// counter: a counter serves eight elements, and rows and tiles begin at multiples of kItems<T>.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ unsigned kept_items(const SpmmParams<T, Index>& p, int64_t row,
                                               const Tile<T, kAligned>& tile) {
  const uint64_t seed = static_cast<uint64_t>(*p.seed);
  unsigned keep = 0;
  if constexpr (kAligned) {
    const int64_t first = row * p.width + tile.column(0);
    const Philox4 random = philox(seed, static_cast<uint64_t>(first) >> 3);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const uint32_t word = random.word[i / 2];
      if ((i % 2 != 0 ? word >> 16 : word & 0xffffu) < p.dropout_threshold) keep |= 1u << i;
    }
    keep >>= first & 7;
  } else {
#pragma unroll 1
    for (int i = 0; i < kItems<T>; ++i) {
      if (dropout_keeps(seed, row * p.width + tile.column(i), p.dropout_threshold)) keep |= 1u << i;
    }
  }
  return keep;
}

// The lane's items of `row`, from `scale` times their sums.
template <typename O, typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_items(const SpmmParams<T, Index>& p, int64_t row,
                                            acc_t<T> scale, const Tile<T, kAligned>& tile,
                                            const acc_t<T>* sum) {
  using Acc = acc_t<T>;
  const Acc row_bias = p.row_bias == nullptr ? Acc(0) : p.row_bias[row];
  const bool drops = p.dropout_threshold != kKeepAll;
  const unsigned keep = drops ? kept_items(p, row, tile) : ~0u;
  const O* residual = static_cast<const O*>(p.residual);
  if (residual != nullptr) residual += row * p.residual_stride;
  O* y = static_cast<O*>(p.y) + row * p.width;
  O out[kItems<T>];
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const bool inside = tile.inside(i);
    Acc value = scale * sum[i] + row_bias;
    if (p.bias != nullptr && inside) value += p.bias[tile.column(i)];
    if (p.relu && value < Acc(0)) value = Acc(0);
    if (drops) value = (keep >> i & 1u) != 0 ? value * p.dropout_scale : Acc(0);
    if (residual != nullptr && inside) value += to_acc(residual[tile.column(i)]);
    out[i] = from_acc<O>(value);
    // Item by item, a striped tile's addresses need not be held all at once.
    if (!kAligned && inside) y[tile.column(i)] = out[i];
  }
  if constexpr (kAligned) tile.store_as(y, out);
}

// y[row] = residual + dropout(act(scale * sum + bias)) on the tile's columns, by one lane group.
// Without kept edges the sums are zero and so must be the scale, whatever its factors are.
template <typename T, typename Index, bool kAligned>
__device__ __forceinline__ void write_row(const SpmmParams<T, Index>& p, int64_t row, int64_t kept,
                                          const Tile<T, kAligned>& tile, const acc_t<T>* sum) {
  using Acc = acc_t<T>;
  Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[row];
  if (p.mean) scale /= static_cast<Acc>(kept);
  if (kept == 0) scale = Acc(0);
  if constexpr (std::is_same_v<Acc, double>) {
    write_items<double>(p, row, scale, tile, sum);
  } else if (p.out == DType::kFloat32) {
    write_items<float>(p, row, scale, tile, sum);
  } else if (p.out == DType::kBFloat16) {
    write_items<BFloat16>(p, row, scale, tile, sum);
  } else {
    write_items<Half>(p, row, scale, tile, sum);
  }
}

}  // namespace sgnn

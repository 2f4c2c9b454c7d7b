// A pair of rows, of a target and of a source, and what a lane's part of a tile gives to the
// attention score of their edge.
#pragma once

#include "attention.cuh"

namespace sgnn {

// A tile of the row that a warp works on, and of att. att is 0 outside the tile.
template <typename T>
struct NearTile {
  Pack<T> row;
  acc_t<T> att[kItems<T>];
};

// `row` and `att` are those of one head; nothing is read of heads without columns.
template <typename T, bool kAligned>
__device__ __forceinline__ NearTile<T> load_near(const AttentionParams<T>& p,
                                                 const Tile<T, kAligned>& tile, const T* row,
                                                 const acc_t<T>* att) {
  NearTile<T> near = {};
  if (p.width == 0) return near;
  near.row = tile.load(row);
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    near.att[i] = tile.inside(i) ? att[tile.column(i)] : acc_t<T>(0);
  }
  return near;
}

// sum of att * leaky(near + far) over this lane's columns.
template <typename T, bool kAligned>
__device__ __forceinline__ acc_t<T> score_part(const Tile<T, kAligned>& tile,
                                               const NearTile<T>& near, const Pack<T>& far,
                                               acc_t<T> slope) {
  using Acc = acc_t<T>;
  Acc score = Acc(0);
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const Acc total = to_acc(near.row.item[i]) + to_acc(far.item[i]);
    score += tile.inside(i) ? near.att[i] * leaky(total, slope) : Acc(0);
  }
  return score;
}

// sum of a * b over this lane's columns.
template <typename T, bool kAligned>
__device__ __forceinline__ acc_t<T> dot_part(const Tile<T, kAligned>& tile, const Pack<T>& a,
                                             const Pack<T>& b) {
  using Acc = acc_t<T>;
  Acc dot = Acc(0);
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    dot += tile.inside(i) ? to_acc(a.item[i]) * to_acc(b.item[i]) : Acc(0);
  }
  return dot;
}

// How a kernel covers rows: wide ones by any number of tiles, which takes registers, others by one.
template <bool kAligned_, bool kWide_>
struct PairLayout {
  static constexpr bool kAligned = kAligned_;
  static constexpr bool kWide = kWide_;
};

template <typename T, typename Layout>
using PairTile = Tile<T, Layout::kAligned>;

// Edges in flight per lane group, of `rows` gathered rows each.
template <typename Layout, int rows>
inline constexpr int kPairSteps = !Layout::kAligned           ? 1
                                  : Layout::kWide || rows > 1 ? 2
                                                              : 4;

// Calls fn(tile) for every tile but `t`.
template <typename Layout, typename T, typename Fn>
__device__ __forceinline__ void each_other_tile(const AttentionParams<T>& p, int64_t t, Fn&& fn) {
  if constexpr (Layout::kWide) {
#pragma unroll 1
    for (int64_t u = 0; u < p.shape.tiles; ++u) {
      if (u != t) fn(attention_tile<Layout::kAligned>(p, u));
    }
  }
}

// The slot of step s of a lane group, which takes the staged edges first, first + groups, ...;
// steps past `count` repeat the last edge.
__device__ __forceinline__ int step_slot(int first, int s, int groups, int count) {
  return first + s * groups < count ? first + s * groups : count - 1;
}

}  // namespace sgnn

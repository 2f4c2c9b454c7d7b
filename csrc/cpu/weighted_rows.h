// Sums of gathered rows [H, D], one coefficient per edge and head, over the edges of a block.
#pragma once

#include "column_heads.h"
#include "kept_edges.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, HeadShape kShape>
class WeightedRows {
 public:
  using A = acc_t<T>;

  WeightedRows(const HeadLayout<A>& layout, int64_t width)
      : stride_(layout.stride), columns_(layout.heads * width), heads_(layout.heads, width) {}

  int64_t columns() const { return columns_; }
  const ColumnHeads<A, kShape>& heads() const { return heads_; }

  // sum[c] += coefficient * x[column][c]; with kSecond another sum by other coefficients.
  // Coefficients [edges, stride], readable a vector further.
  template <bool kSecond>
  void add(const KeptEdges& edges, const T* x, const A* coefficient, const A* second, A* sum,
           A* second_sum) const {
    for_each_tile<kHeadTile<kShape>, A>(0, columns_, [&](auto shape, int64_t f, int count) {
      add_tile<kSecond, decltype(shape)>(edges, x, coefficient, second, sum, second_sum, f, count);
    });
  }

  // value[c] *= factor[head of c].
  void scale(const A* factor, A* value) const {
    for (int64_t f = 0; f < columns_; f += kLanes<A>) {
      store(value + f, load(value + f) * heads_.spread(factor, f));
    }
  }

  // row[c] = value[c] * factor[head of c], and value[c] = 0.
  void write(const A* factor, A* value, T* row) const {
    for_each_tile<1, A>(0, columns_, [&](auto shape, int64_t f, int count) {
      using Shape = decltype(shape);
      store_tile<1, Shape::kPartial>(row + f, 0, count, load(value + f) * heads_.spread(factor, f));
      store(value + f, vec_t<A>{});
    });
  }

  // Asks for the tile that a later edge gathers. Returns b: a function that only prefetches would
  // be dropped.
  template <int kTile>
  SGNN_INLINE int64_t ahead(const KeptEdges& edges, int64_t b, const T* x, int64_t f) const {
    prefetch_tile<kTile>(x + edges.ahead[b] * columns_ + f);
    return b;
  }

 private:
  template <bool kSecond, typename Shape>
  SGNN_INLINE void add_tile(const KeptEdges& edges, const T* x, const A* coefficient,
                            const A* second, A* sum, A* second_sum, int64_t f, int count) const {
    constexpr int kTile = Shape::kTile;
    constexpr int kLane = kLanes<A>;
    vec_t<A> total[kTile];
    vec_t<A> other[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      total[v] = load(sum + f + v * kLane);
      if constexpr (kSecond) other[v] = load(second_sum + f + v * kLane);
    }
    for (int64_t b = 0; b < edges.count; ++b) {
      const int64_t at = ahead<kTile>(edges, b, x, f) * stride_;
      const T* row = x + edges.column[b] * columns_ + f;
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> value = load_tile<kTile, Shape::kPartial>(row, v, count);
        total[v] += heads_.spread(coefficient + at, f + v * kLane) * value;
        if constexpr (kSecond) other[v] += heads_.spread(second + at, f + v * kLane) * value;
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      store(sum + f + v * kLane, total[v]);
      if constexpr (kSecond) store(second_sum + f + v * kLane, other[v]);
    }
  }

  const int64_t stride_;
  const int64_t columns_;
  const ColumnHeads<A, kShape> heads_;
};

}  // namespace sgnn::cpu::SGNN_ISA

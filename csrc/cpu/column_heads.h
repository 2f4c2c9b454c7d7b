// Which head a column of [H, D] belongs to, vector by vector: spreads one value per head over
// columns, and sums columns into one value per head.
#pragma once

#include "head_block.h"
#include "row_tile.h"

namespace sgnn::cpu::SGNN_ISA {

// kWide: a vector lies in one head. kNarrow: a vector holds whole heads. kOdd: neither.
enum class HeadShape { kWide, kNarrow, kOdd };

template <typename A>
inline HeadShape head_shape(int64_t width) {
  if (width % kLanes<A> == 0) return HeadShape::kWide;
  return width > 0 && kLanes<A> % width == 0 ? HeadShape::kNarrow : HeadShape::kOdd;
}

// Vectors of a tile: half of the registers hold two sums of it. Odd heads take lanes one by one,
// and wider tiles would only be more code.
template <HeadShape kShape>
constexpr int kHeadTile = kShape == HeadShape::kOdd                          ? 1
                          : kVectorBytes == 64 && kShape == HeadShape::kWide ? 8
                                                                             : 4;

template <typename A, HeadShape kShape>
class ColumnHeads {
 public:
  using Index = typename LaneIndexOf<A>::scalar;

  ColumnHeads(int64_t heads, int64_t width)
      : width_(width),
        head_(vectors(heads * width)),
        lane_head_(vectors(heads * width) * kLanes<A>) {
    for (int64_t c = 0; c < vectors(heads * width) * kLanes<A>; ++c) {
      const int64_t last = heads * width - 1;
      const int64_t head = (c < last ? c : last) / width;
      if (c % kLanes<A> == 0) head_[c / kLanes<A>] = static_cast<Index>(head);
      lane_head_[c] = static_cast<Index>(head) - head_[c / kLanes<A>];
    }
  }

  // One value per head, spread over the columns [column, column + lanes). Reads a whole vector.
  SGNN_INLINE vec_t<A> spread(const A* values, int64_t column) const {
    const A* first = values + head_[column / kLanes<A>];
    if constexpr (kShape == HeadShape::kWide) return splat(*first);
    return permute<A>(load(first), lanes(column));
  }

  // sums[head] += the columns of value[0 .. kTile), which start at `column`.
  template <int kTile, bool kPartial>
  SGNN_INLINE void collect(const vec_t<A>* value, int64_t column, int count, A* sums) const {
    const Index* head = head_.data() + column / kLanes<A>;
    if constexpr (kShape == HeadShape::kOdd || kPartial) {
      for (int v = 0; v < kTile; ++v) {
        const Index* lane = lane_head_.data() + column + v * kLanes<A>;
        for (int k = 0; k < (kPartial ? count : kLanes<A>); ++k)
          sums[head[v] + lane[k]] += value[v][k];
      }
    } else if constexpr (kShape == HeadShape::kNarrow) {
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) collect_narrow(value[v], sums + head[v]);
    } else if (head[0] == head[kTile - 1]) {
      vec_t<A> total = value[0];
#pragma GCC unroll 8
      for (int v = 1; v < kTile; ++v) total += value[v];
      sums[head[0]] += horizontal_sum<A>(total);
    } else if constexpr (kTile % 4 == 0) {
      for (int v = 0; v < kTile; v += 4) {
        A sum[4];
        horizontal_sum4<A>(value + v, sum);
        for (int k = 0; k < 4; ++k) sums[head[v + k]] += sum[k];
      }
    } else {
      for (int v = 0; v < kTile; ++v) sums[head[v]] += horizontal_sum<A>(value[v]);
    }
  }

 private:
  static int64_t vectors(int64_t columns) { return (columns + kLanes<A> - 1) / kLanes<A>; }

  SGNN_INLINE lane_index_t<A> lanes(int64_t column) const {
    return *reinterpret_cast<const lane_index_t<A>*>(lane_head_.data() + column);
  }

  // The heads of one vector: neighbours added until every lane has its head's sum.
  SGNN_INLINE void collect_narrow(vec_t<A> value, A* sums) const {
    for (int64_t d = width_ / 2; d > 0; d /= 2) value += exchange<A>(value, d);
    const int heads = kLanes<A> / static_cast<int>(width_);
    lane_index_t<A> first;
    for (int k = 0; k < kLanes<A>; ++k) first[k] = static_cast<Index>(k);
    first *= static_cast<Index>(width_);
    const vec_t<A> packed = permute<A>(value, first & (kLanes<A> - 1));
    if (heads == kLanes<A>) return store(sums, load(sums) + packed);
    store_partial<A>(sums, load_partial<A>(sums, heads) + packed, heads);
  }

  const int64_t width_;
  Scratch<Index> head_;       // the first head of every vector
  Scratch<Index> lane_head_;  // of every column, less the first head of its vector
};

// out[h] = dot of the columns of head h of two rows.
template <typename T, typename A, HeadShape kShape>
inline void head_dots(const ColumnHeads<A, kShape>& heads, int64_t columns, const T* left,
                      const T* right, int64_t count, A* out) {
  for (int64_t h = 0; h < count; ++h) out[h] = A(0);
  for_each_tile<kHeadTile<kShape>, A>(0, columns, [&](auto shape, int64_t f, int left_over) {
    using Shape = decltype(shape);
    constexpr int kTile = Shape::kTile;
    vec_t<A> product[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      product[v] = load_tile<kTile, Shape::kPartial>(left + f, v, left_over) *
                   load_tile<kTile, Shape::kPartial>(right + f, v, left_over);
    }
    heads.template collect<kTile, Shape::kPartial>(product, f, left_over, out);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA

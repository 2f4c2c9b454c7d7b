// The scores of a block of edges from the features of both ends.
#pragma once

#include "attention_block.h"
#include "sgnn/gatv2.h"
#include "weighted_rows.h"

namespace sgnn::cpu::SGNN_ISA {

// A tile holds features of both ends and att.
template <HeadShape kShape>
constexpr int kPairTile = kHeadTile<kShape> < 4 ? kHeadTile<kShape> : 4;

template <typename T, HeadShape kShape>
class Gatv2Scores {
 public:
  using A = acc_t<T>;
  static constexpr bool kPositive = false;

  Gatv2Scores(const Gatv2Args& args, const HeadLayout<A>& layout,
              const WeightedRows<T, kShape>& rows)
      : args_(args), layout_(layout), rows_(rows) {}

  void start(int64_t row) { own_ = static_cast<const T*>(args_.x_dst) + row * rows_.columns(); }

  // weight[edge, head] = sum of att * leaky(own row + the edge's row).
  void score(const KeptEdges& edges, A* weight, A*) const {
    for (int64_t s = 0; s < layout_.slots(edges.count); ++s) weight[s] = A(0);
    for_each_tile<kPairTile<kShape>, A>(0, rows_.columns(), [&](auto shape, int64_t f, int count) {
      score_tile<decltype(shape)>(edges, f, count, weight);
    });
  }

 private:
  template <typename Shape>
  SGNN_INLINE void score_tile(const KeptEdges& edges, int64_t f, int count, A* weight) const {
    constexpr int kTile = Shape::kTile;
    const auto* x = static_cast<const T*>(args_.x);
    const auto* att = static_cast<const A*>(args_.att) + f;
    const vec_t<A> slope = splat(static_cast<A>(args_.negative_slope));
    vec_t<A> own[kTile];
    vec_t<A> factor[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      own[v] = load_tile<kTile, Shape::kPartial>(own_ + f, v, count);
      factor[v] = load_tile<kTile, Shape::kPartial>(att, v, count);
    }
    for (int64_t b = 0; b < edges.count; ++b) {
      const int64_t at = rows_.template ahead<kTile>(edges, b, x, f) * layout_.stride;
      const T* row = x + edges.column[b] * rows_.columns() + f;
      vec_t<A> part[kTile];
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> sum = own[v] + load_tile<kTile, Shape::kPartial>(row, v, count);
        part[v] = factor[v] * leaky<A>(sum, slope);
      }
      rows_.heads().template collect<kTile, Shape::kPartial>(part, f, count, weight + at);
    }
  }

  const Gatv2Args& args_;
  const HeadLayout<A> layout_;
  const WeightedRows<T, kShape>& rows_;
  const T* own_ = nullptr;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The scores of a block of edges from one number per node and head.
#pragma once

#include "attention_block.h"
#include "sgnn/gat.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A, bool kWithPositive>
class GatScores {
 public:
  static constexpr bool kPositive = kWithPositive;

  template <typename Rows>
  GatScores(const GatArgs& args, const HeadLayout<A>& layout, const Rows&)
      : args_(args), layout_(layout), target_(layout.span) {}

  void start(int64_t row) {
    spread_heads(layout_, static_cast<const A*>(args_.s_dst) + row * layout_.heads, target_.data());
  }

  // weight = leaky(score); positive = 1 where the score is positive, else 0.
  void score(const KeptEdges& edges, A* weight, A* positive) const {
    const auto* source = static_cast<const A*>(args_.s_src);
    gather_heads(
        layout_, edges.count, source, [&](int64_t b) { return edges.column[b] * layout_.heads; },
        weight);
    add_edge_scores(layout_, edges, static_cast<const A*>(args_.edge_score), weight);
    const vec_t<A> slope = splat(static_cast<A>(args_.negative_slope));
    const int64_t slots = layout_.slots(edges.count);
    for (int64_t first = 0; first < layout_.span; first += kLanes<A>) {
      const vec_t<A> target = load(target_.data() + first);
      for (int64_t s = first; s < slots; s += layout_.span) {
        const vec_t<A> score = load(weight + s) + target;
        store(weight + s, leaky<A>(score, slope));
        if constexpr (kPositive) {
          store(positive + s, score > vec_t<A>{} ? splat(A(1)) : vec_t<A>{});
        }
      }
    }
  }

 private:
  const GatArgs& args_;
  const HeadLayout<A> layout_;
  Scratch<A> target_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// A block of kept edges in attention: their scores, the attention dropout, and prefetches.
#pragma once

#include "dropout_bits.h"
#include "kept_edges.h"
#include "sgnn/attention.h"

namespace sgnn::cpu::SGNN_ISA {

// score > 0 ? score : slope * score.
template <typename A>
SGNN_INLINE vec_t<A> leaky(vec_t<A> score, vec_t<A> slope) {
  return score > vec_t<A>{} ? score : score * slope;
}

// Attention dropout of a block: multiplies a slot by 0 or by the scale of the kept.
template <typename A>
class BlockDropout {
 public:
  BlockDropout(const AttentionInputs& args, const HeadLayout<A>& layout)
      : layout_(layout),
        active_(args.dropout_threshold != kKeepAll),
        scale_(dropout_scale<A>(args.dropout_threshold)),
        bits_(args.seed, args.dropout_threshold),
        keep_(active_ ? layout.slots(kBlockEdges) : 0) {}

  bool active() const { return active_; }

  SGNN_OUT_OF_LINE void draw(const KeptEdges& edges) {
    if (!active_) return;
    for (int64_t b = 0; b < edges.count; ++b) {
      int16_t* keep = keep_.data() + b * layout_.stride;
      for (int64_t h = 0; h < layout_.heads; h += DropoutBits::kMost) {
        const int64_t left = layout_.heads - h;
        const int count = left < DropoutBits::kMost ? static_cast<int>(left) : DropoutBits::kMost;
        bits_.fill(edges.id[b] * layout_.heads + h, count, keep + h);
      }
    }
  }

  // Of the vector of slots at `slot`.
  SGNN_INLINE vec_t<A> apply(vec_t<A> value, int64_t slot) const {
    if (!active_) return value;
    return keep_lanes<A>(value * splat(scale_), keep_.data() + slot);
  }

 private:
  const HeadLayout<A> layout_;
  const bool active_;
  const A scale_;
  DropoutBits bits_;
  Scratch<int16_t> keep_;
};

// slots[b] (+)= table[row(b)], one value per head of every edge of a block.
template <typename A, typename Row>
SGNN_INLINE void gather_heads(const HeadLayout<A>& layout, int64_t count, const A* table, Row&& row,
                              A* slots) {
  for (int64_t b = 0; b < count; ++b) {
    copy_heads(slots + b * layout.stride, table + row(b), layout.heads);
  }
}

template <typename A>
SGNN_INLINE void add_edge_scores(const HeadLayout<A>& layout, const KeptEdges& edges,
                                 const A* edge_score, A* slots) {
  if (edge_score == nullptr) return;
  for (int64_t b = 0; b < edges.count; ++b) {
    const A* score = edge_score + edges.id[b] * layout.heads;
    for (int64_t h = 0; h < layout.heads; ++h) slots[b * layout.stride + h] += score[h];
  }
}

}  // namespace sgnn::cpu::SGNN_ISA

// Scores of a block of edges, one per head, and the running softmax statistics of a row.
//
// An edge takes `stride` slots: the heads padded to a power of two that divides a vector, or to
// whole vectors. So a vector holds the same heads wherever it starts, whatever their number.
#pragma once

#include <cstring>
#include <limits>

#include "exp.h"
#include "lanes.h"
#include "scratch.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int64_t kBlockEdges = 64;
template <typename A>
constexpr A kInfinity = std::numeric_limits<A>::infinity();

template <typename A>
struct HeadLayout {
  int64_t heads;
  int64_t stride = 1;  // slots of an edge
  int64_t span;        // slots of one state: a whole number of vectors, heads repeated

  explicit HeadLayout(int64_t count) : heads(count) {
    constexpr int64_t lanes = kLanes<A>;
    while (stride < heads && stride < lanes) stride *= 2;
    if (stride < heads) stride = (heads + lanes - 1) / lanes * lanes;
    span = stride < lanes ? lanes : stride;
  }
  // Slots of `edges` edges, rounded up to whole spans.
  int64_t slots(int64_t edges) const { return (edges * stride + span - 1) / span * span; }
};

// Copies one value per head; the usual numbers of heads are single moves.
template <typename A>
SGNN_INLINE void copy_heads(A* to, const A* from, int64_t heads) {
  switch (heads) {
    case 1:
      *to = *from;
      return;
    case 4:
      memcpy(to, from, 4 * sizeof(A));
      return;
    case 8:
      memcpy(to, from, 8 * sizeof(A));
      return;
    default:
      for (int64_t h = 0; h < heads; ++h) to[h] = from[h];
  }
}

// Repeats one value per head over a span; slots without a head get zero.
template <typename A>
SGNN_INLINE void spread_heads(const HeadLayout<A>& layout, const A* values, A* span) {
  for (int64_t s = 0; s < layout.span; ++s) {
    const int64_t head = s % layout.stride;
    span[s] = head < layout.heads ? values[head] : A(0);
  }
}

// max, sum: of the scores seen so far, spans. A maximum of -inf means that none was finite.
template <typename A>
class SoftmaxState {
 public:
  explicit SoftmaxState(const HeadLayout<A>& layout)
      : layout_(layout), values_(3 * layout.span + kLanes<A>) {}

  A* max() { return values_.data(); }
  A* sum() { return values_.data() + layout_.span; }
  // What sums over earlier blocks have to be multiplied with since the last `add`.
  A* factor() { return values_.data() + 2 * layout_.span; }

  void reset() {
    for (int64_t s = 0; s < layout_.span; ++s) max()[s] = -kInfinity<A>;
    for (int64_t s = 0; s < layout_.span; ++s) sum()[s] = A(0);
  }

  // Takes the scores of `edges` edges into account and replaces them by exp(score - max).
  SGNN_OUT_OF_LINE void add(A* scores, int64_t edges) {
    const int64_t slots = layout_.slots(edges);
    for (int64_t s = edges * layout_.stride; s < slots; ++s) scores[s] = -kInfinity<A>;
    for (int64_t s = 0; s < layout_.span; s += kLanes<A>) add_vectors(scores, s, slots);
  }

 private:
  // Vectors at `first`, `first` + span, ... hold the same heads.
  SGNN_INLINE void add_vectors(A* scores, int64_t first, int64_t slots) {
    const vec_t<A> before = load(max() + first);
    vec_t<A> highest = before;
    for (int64_t s = first; s < slots; s += layout_.span) {
      highest = max_vec(highest, load(scores + s));
    }
    highest = max_periodic<A>(highest, layout_.stride);
    const vec_t<A> shift = highest == splat(-kInfinity<A>) ? vec_t<A>{} : highest;
    vec_t<A> total{};
    for (int64_t s = first; s < slots; s += layout_.span) {
      const vec_t<A> value = exp_nonpositive(load(scores + s) - shift);
      store(scores + s, value);
      total += value;
    }
    total = sum_periodic<A>(total, layout_.stride);
    const vec_t<A> factor = exp_nonpositive(before - shift);
    store(max() + first, highest);
    store(this->factor() + first, factor);
    store(sum() + first, load(sum() + first) * factor + total);
  }

  const HeadLayout<A> layout_;
  Scratch<A> values_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop body of the backward of gatv2, along the targets or along the sources. Both take scores
// and weights of a block of edges again from the rows at both ends, then sum what the edges give.
#pragma once

#include "gatv2_scores.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, HeadShape kShape, bool kTargets>
class Gatv2GradRows {
 public:
  using A = acc_t<T>;

  explicit Gatv2GradRows(const Gatv2GradArgs& args)
      : args_(args),
        edges_(args.csr, args.bits),
        layout_(args.heads),
        dropout_(args, layout_),
        rows_(layout_, args.width),
        near_(static_cast<const T*>(kTargets ? args.x_dst : args.x)),
        far_(static_cast<const T*>(kTargets ? args.x : args.x_dst)),
        grad_(static_cast<const T*>(args.grad)),
        att_(static_cast<const A*>(args.att)),
        slope_(splat(static_cast<A>(args.negative_slope))),
        slots_(layout_.slots(kBlockEdges) + kLanes<A>),
        buffer_(kSlots * slots_),
        sum_(rows_.columns() + kLanes<A>),
        att_sum_(kTargets ? rows_.columns() + kLanes<A> : 0) {}

  void run(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(row);
  }

  // The share of the rows so far in the gradient of att.
  void write_att(A* out) const {
    for (int64_t c = 0; c < rows_.columns(); ++c) out[c] = att_sum_[c];
  }

 private:
  enum Slot { kScore, kDot, kMax, kInverse, kDelta, kSlots };
  A* slots(Slot which) { return buffer_.data() + which * slots_; }

  void run_row(int64_t row) {
    if constexpr (kTargets) write_stats(row);
    for (int64_t c = 0; c < rows_.columns(); ++c) sum_[c] = A(0);
    edges_.for_each_block(row, [](int64_t) {}, [&] { run_block(row); });
    T* out = static_cast<T*>(kTargets ? args_.grad_dst : args_.grad_x) + row * rows_.columns();
    for_each_tile<1, A>(0, rows_.columns(), [&](auto shape, int64_t f, int count) {
      store_tile<1, decltype(shape)::kPartial>(out + f, 0, count, load(sum_.data() + f));
    });
  }

  // What the pass over the sources needs of a target in one place, H values each.
  void write_stats(int64_t row) {
    const int64_t heads = layout_.heads, at = row * rows_.columns();
    A* stats = static_cast<A*>(args_.target_stats) + row * 3 * heads;
    copy_heads(stats, static_cast<const A*>(args_.row_max) + row * heads, heads);
    copy_heads(stats + heads, static_cast<const A*>(args_.inv_sum) + row * heads, heads);
    A* delta = slots(kDelta);
    head_dots(rows_.heads(), rows_.columns(), grad_ + at, static_cast<const T*>(args_.y) + at,
              heads, delta);
    copy_heads(stats + 2 * heads, delta, heads);
  }

  SGNN_OUT_OF_LINE void run_block(int64_t row) {
    gather_stats(row);
    const int64_t at = row * rows_.columns();
    for_each_tile<kPairTile<kShape>, A>(0, rows_.columns(), [&](auto shape, int64_t f, int count) {
      score_tile<decltype(shape)>(at, f, count);
    });
    differentiate_block();
    for_each_tile<kPairTile<kShape>, A>(0, rows_.columns(), [&](auto shape, int64_t f, int count) {
      add_tile<decltype(shape)>(at, f, count);
    });
  }

  void gather_stats(int64_t row) {
    const int64_t heads = layout_.heads, used = layout_.slots(edges_.count);
    for (int64_t s = 0; s < used; ++s) slots(kScore)[s] = slots(kDot)[s] = A(0);
    for (int64_t b = 0; b < edges_.count; ++b) {
      const int64_t target = kTargets ? row : edges_.column[b], slot = b * layout_.stride;
      const A* stats = static_cast<const A*>(args_.target_stats) + target * 3 * heads;
      copy_heads(slots(kMax) + slot, stats, heads);
      copy_heads(slots(kInverse) + slot, stats + heads, heads);
      copy_heads(slots(kDelta) + slot, stats + 2 * heads, heads);
    }
    dropout_.draw(edges_);
  }

  // score = sum of att * leaky(near + far) and dot = sum of gradient * feature, at `near` + f.
  template <typename Shape>
  SGNN_INLINE void score_tile(int64_t at, int64_t f, int count) {
    constexpr int kTile = Shape::kTile;
    const T* held = (kTargets ? grad_ : near_) + at + f;
    const T* met = kTargets ? far_ : grad_;
    vec_t<A> own[kTile];
    vec_t<A> factor[kTile];
    vec_t<A> left[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      own[v] = load_tile<kTile, Shape::kPartial>(near_ + at + f, v, count);
      factor[v] = load_tile<kTile, Shape::kPartial>(att_ + f, v, count);
      left[v] = load_tile<kTile, Shape::kPartial>(held, v, count);
    }
    for (int64_t b = 0; b < edges_.count; ++b) {
      const int64_t slot = rows_.template ahead<kTile>(edges_, b, far_, f) * layout_.stride;
      if constexpr (!kTargets) rows_.template ahead<kTile>(edges_, b, grad_, f);
      const int64_t other = edges_.column[b] * rows_.columns() + f;
      vec_t<A> score[kTile];
      vec_t<A> product[kTile];
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> feature = load_tile<kTile, Shape::kPartial>(far_ + other, v, count);
        score[v] = factor[v] * leaky<A>(own[v] + feature, slope_);
        product[v] = left[v] * load_tile<kTile, Shape::kPartial>(met + other, v, count);
      }
      rows_.heads().template collect<kTile, Shape::kPartial>(score, f, count, slots(kScore) + slot);
      rows_.heads().template collect<kTile, Shape::kPartial>(product, f, count, slots(kDot) + slot);
    }
  }

  // score = k alpha, the coefficient of the gradient; dot = alpha (k dot - delta), that of the
  // score's derivative.
  void differentiate_block() {
    for (int64_t s = 0; s < layout_.slots(edges_.count); s += kLanes<A>) {
      const vec_t<A> alpha = exp_nonpositive(load(slots(kScore) + s) - load(slots(kMax) + s)) *
                             load(slots(kInverse) + s);
      const vec_t<A> inner = dropout_.apply(load(slots(kDot) + s), s) - load(slots(kDelta) + s);
      store(slots(kScore) + s, dropout_.apply(alpha, s));
      store(slots(kDot) + s, alpha * inner);
    }
  }

  // Along the targets: sum += att dot leaky'(near + far) and att_sum += dot leaky(near + far).
  // Along the sources: sum += the same + score * gradient.
  template <typename Shape>
  SGNN_INLINE void add_tile(int64_t at, int64_t f, int count) {
    constexpr int kTile = Shape::kTile;
    constexpr int kLane = kLanes<A>;
    vec_t<A> own[kTile];
    vec_t<A> factor[kTile];
    vec_t<A> total[kTile];
    vec_t<A> att_total[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      own[v] = load_tile<kTile, Shape::kPartial>(near_ + at + f, v, count);
      factor[v] = load_tile<kTile, Shape::kPartial>(att_ + f, v, count);
      total[v] = load(sum_.data() + f + v * kLane);
      if constexpr (kTargets) att_total[v] = load(att_sum_.data() + f + v * kLane);
    }
    for (int64_t b = 0; b < edges_.count; ++b) {
      const int64_t slot = b * layout_.stride;
      const int64_t other = edges_.column[b] * rows_.columns() + f;
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const int64_t column = f + v * kLane;
        const vec_t<A> sum = own[v] + load_tile<kTile, Shape::kPartial>(far_ + other, v, count);
        const vec_t<A> change = rows_.heads().spread(slots(kDot) + slot, column);
        const vec_t<A> sloped = sum > vec_t<A>{} ? change : change * slope_;
        total[v] += factor[v] * sloped;
        if constexpr (kTargets) {
          att_total[v] += sloped * sum;
        } else {
          total[v] += rows_.heads().spread(slots(kScore) + slot, column) *
                      load_tile<kTile, Shape::kPartial>(grad_ + other, v, count);
        }
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      store(sum_.data() + f + v * kLane, total[v]);
      if constexpr (kTargets) store(att_sum_.data() + f + v * kLane, att_total[v]);
    }
  }

  const Gatv2GradArgs& args_;
  KeptEdges edges_;
  const HeadLayout<A> layout_;
  BlockDropout<A> dropout_;
  const WeightedRows<T, kShape> rows_;
  const T* near_;  // features of the ends whose rows are walked
  const T* far_;   // features of the other ends
  const T* grad_;
  const A* att_;
  const vec_t<A> slope_;
  const int64_t slots_;
  Scratch<A> buffer_;
  Scratch<A> sum_;
  Scratch<A> att_sum_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop bodies of the backward of fused attention: targets first, then sources.
#pragma once

#include "attention_block.h"
#include "sgnn/gat.h"
#include "weighted_rows.h"

namespace sgnn::cpu::SGNN_ISA {

// delta and the gradient of s_dst by the row identity, and what a source needs of its targets in
// one place: s_dst, max, 1 / sum and delta, H values each.
template <typename T, HeadShape kShape>
class GatGradTargets {
 public:
  using A = acc_t<T>;

  explicit GatGradTargets(const GatTargetsArgs& args)
      : args_(args),
        columns_(args.heads * args.width),
        heads_(args.heads, args.width),
        delta_(args.heads + kLanes<A>),
        positive_(args.heads + kLanes<A>) {}

  void run(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(row);
  }

 private:
  void run_row(int64_t row) {
    dot(row, args_.y, delta_.data());
    if (args_.positive != nullptr) dot(row, args_.positive, positive_.data());
    const int64_t heads = args_.heads;
    const auto at = [&](const void* values) { return static_cast<const A*>(values) + row * heads; };
    A* stats = static_cast<A*>(args_.target_stats) + row * 4 * heads;
    A* grad_dst = static_cast<A*>(args_.grad_dst) + row * heads;
    const A slope = static_cast<A>(args_.negative_slope);
    for (int64_t h = 0; h < heads; ++h) {
      stats[h] = at(args_.s_dst)[h];
      stats[heads + h] = at(args_.row_max)[h];
      stats[2 * heads + h] = at(args_.inv_sum)[h];
      stats[3 * heads + h] = delta_[h];
      grad_dst[h] = A(0);
      if (args_.positive == nullptr) continue;
      grad_dst[h] = (A(1) - slope) * (positive_[h] - delta_[h] * at(args_.positive_weight)[h]);
    }
  }

  // out[h] = dot of the gradient's row with that of `values`.
  void dot(int64_t row, const void* values, A* out) const {
    const int64_t at = row * columns_;
    head_dots(heads_, columns_, static_cast<const T*>(args_.grad) + at,
              static_cast<const T*>(values) + at, args_.heads, out);
  }

  const GatTargetsArgs& args_;
  const int64_t columns_;
  const ColumnHeads<A, kShape> heads_;
  Scratch<A> delta_;
  Scratch<A> positive_;
};

template <typename T, HeadShape kShape>
class GatGradSources {
 public:
  using A = acc_t<T>;

  explicit GatGradSources(const GatGradArgs& args)
      : args_(args),
        edges_(args.csr, args.bits),
        layout_(args.heads),
        dropout_(args, layout_),
        rows_(layout_, args.width),
        slots_(layout_.slots(kBlockEdges)),
        buffer_(7 * (slots_ + kLanes<A>)),
        sum_(rows_.columns() + kLanes<A>),
        source_(layout_.span),
        total_(layout_.span),
        ones_(layout_.span + kLanes<A>) {
    for (int64_t s = 0; s < layout_.span; ++s) ones_[s] = A(1);
  }

  void run(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(row);
  }

 private:
  enum Slot { kScore, kMax, kInverse, kDelta, kAlpha, kCoefficient, kDot };
  A* slots(Slot which) { return buffer_.data() + which * (slots_ + kLanes<A>); }

  void run_row(int64_t row) {
    const int64_t heads = layout_.heads;
    spread_heads(layout_, static_cast<const A*>(args_.s_src) + row * heads, source_.data());
    for (int64_t s = 0; s < layout_.span; ++s) total_[s] = A(0);
    auto* grad_score = static_cast<A*>(args_.grad_score);
    edges_.for_each_block(
        row,
        [&](int64_t id) {
          for (int64_t h = 0; h < heads && grad_score != nullptr; ++h) {
            grad_score[id * heads + h] = A(0);
          }
        },
        [&] { run_block(row); });
    auto* grad_src = static_cast<A*>(args_.grad_src) + row * heads;
    for (int64_t h = 0; h < heads; ++h) grad_src[h] = total_[h];
    rows_.write(ones_.data(), sum_.data(), static_cast<T*>(args_.grad_x) + row * rows_.columns());
  }

  SGNN_OUT_OF_LINE void run_block(int64_t row) {
    weigh_block();
    gather_block(row);
    differentiate_block();
    if (args_.grad_score != nullptr) write_scores(static_cast<A*>(args_.grad_score));
  }

  // The weights of the block again, and the coefficients of the gathered gradients.
  void weigh_block() {
    const int64_t heads = layout_.heads;
    const auto* stats = static_cast<const A*>(args_.target_stats);
    for (int64_t b = 0; b < edges_.count; ++b) {
      const A* target = stats + edges_.column[b] * 4 * heads;
      const int64_t slot = b * layout_.stride;
      copy_heads(slots(kScore) + slot, target, heads);
      copy_heads(slots(kMax) + slot, target + heads, heads);
      copy_heads(slots(kInverse) + slot, target + 2 * heads, heads);
      copy_heads(slots(kDelta) + slot, target + 3 * heads, heads);
    }
    dropout_.draw(edges_);
    add_sources();
    add_edge_scores(layout_, edges_, static_cast<const A*>(args_.edge_score), slots(kScore));
    const vec_t<A> slope = splat(static_cast<A>(args_.negative_slope));
    for (int64_t s = 0; s < layout_.slots(edges_.count); s += kLanes<A>) {
      const vec_t<A> score = leaky<A>(load(slots(kScore) + s), slope);
      const vec_t<A> alpha =
          exp_nonpositive(score - load(slots(kMax) + s)) * load(slots(kInverse) + s);
      store(slots(kAlpha) + s, alpha);
      store(slots(kCoefficient) + s, dropout_.apply(alpha, s));
      store(slots(kDot) + s, vec_t<A>{});
    }
  }

  void add_sources() {
    const int64_t slots_used = layout_.slots(edges_.count);
    for (int64_t s = 0; s < slots_used; s += kLanes<A>) {
      A* score = slots(kScore) + s;
      store(score, load(score) + load(source_.data() + s % layout_.span));
    }
  }

  // sum += coefficient * gradient and dot = gradient . x, in one gather.
  void gather_block(int64_t row) {
    const T* x = static_cast<const T*>(args_.x) + row * rows_.columns();
    for_each_tile<kHeadTile<kShape>, A>(0, rows_.columns(), [&](auto shape, int64_t f, int count) {
      gather_tile<decltype(shape)>(x, f, count);
    });
  }

  template <typename Shape>
  SGNN_INLINE void gather_tile(const T* x, int64_t f, int count) {
    constexpr int kTile = Shape::kTile;
    constexpr int kLane = kLanes<A>;
    const auto* grad = static_cast<const T*>(args_.grad);
    vec_t<A> total[kTile];
    vec_t<A> own[kTile];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      total[v] = load(sum_.data() + f + v * kLane);
      own[v] = load_tile<kTile, Shape::kPartial>(x + f, v, count);
    }
    for (int64_t b = 0; b < edges_.count; ++b) {
      const int64_t at = rows_.template ahead<kTile>(edges_, b, grad, f) * layout_.stride;
      const T* gathered = grad + edges_.column[b] * rows_.columns() + f;
      vec_t<A> product[kTile];
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> value = load_tile<kTile, Shape::kPartial>(gathered, v, count);
        total[v] += rows_.heads().spread(slots(kCoefficient) + at, f + v * kLane) * value;
        product[v] = own[v] * value;
      }
      rows_.heads().template collect<kTile, Shape::kPartial>(product, f, count, slots(kDot) + at);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) store(sum_.data() + f + v * kLane, total[v]);
  }

  // dot = alpha (keep dot - delta) leaky'(score), summed over the block.
  void differentiate_block() {
    const int64_t used = edges_.count * layout_.stride;
    const vec_t<A> slope = splat(static_cast<A>(args_.negative_slope));
    for (int64_t s = used; s < layout_.slots(edges_.count); ++s) {
      slots(kAlpha)[s] = slots(kDelta)[s] = A(0);  // what earlier blocks left there
    }
    for (int64_t first = 0; first < layout_.span; first += kLanes<A>) {
      vec_t<A> total{};
      for (int64_t s = first; s < layout_.slots(edges_.count); s += layout_.span) {
        const vec_t<A> inner = dropout_.apply(load(slots(kDot) + s), s) - load(slots(kDelta) + s);
        const vec_t<A> change = load(slots(kAlpha) + s) * inner;
        const vec_t<A> grad = load(slots(kScore) + s) > vec_t<A>{} ? change : change * slope;
        store(slots(kDot) + s, grad);
        total += grad;
      }
      store(total_.data() + first,
            load(total_.data() + first) + sum_periodic<A>(total, layout_.stride));
    }
  }

  void write_scores(A* grad_score) {
    for (int64_t b = 0; b < edges_.count; ++b) {
      copy_heads(grad_score + edges_.id[b] * layout_.heads, slots(kDot) + b * layout_.stride,
                 layout_.heads);
    }
  }

  const GatGradArgs& args_;
  KeptEdges edges_;
  const HeadLayout<A> layout_;
  BlockDropout<A> dropout_;
  const WeightedRows<T, kShape> rows_;
  const int64_t slots_;
  Scratch<A> buffer_;
  Scratch<A> sum_;
  Scratch<A> source_;
  Scratch<A> total_;
  Scratch<A> ones_;
};

}  // namespace sgnn::cpu::SGNN_ISA

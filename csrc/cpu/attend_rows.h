// The loop body of fused attention over targets [begin, end): block by block, scores, running
// softmax, weighted sum. `Scores` gives the scores of a block; with Scores::kPositive the part of
// the sum that positive scores give is kept as well.
#pragma once

#include "attention_block.h"
#include "weighted_rows.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, HeadShape kShape, typename Scores, typename Args>
class AttendRows {
 public:
  using A = acc_t<T>;
  static constexpr bool kPositive = Scores::kPositive;

  explicit AttendRows(const Args& args)
      : args_(args),
        edges_(args.csr, args.bits),
        layout_(args.heads),
        state_(layout_),
        dropout_(args, layout_),
        rows_(layout_, args.width),
        scores_(args, layout_, rows_),
        weight_(layout_.slots(kBlockEdges) + kLanes<A>),
        positive_weight_(kPositive ? layout_.slots(kBlockEdges) + kLanes<A> : 0),
        sum_(rows_.columns() + kLanes<A>),
        positive_sum_(kPositive ? rows_.columns() + kLanes<A> : 0),
        positive_mass_(layout_.span),
        inverse_(layout_.span + kLanes<A>) {}

  void run(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(row);
  }

 private:
  void run_row(int64_t row) {
    scores_.start(row);
    for (int64_t s = 0; s < layout_.span; ++s) positive_mass_[s] = A(0);
    state_.reset();
    bool any = false;
    edges_.for_each_block(
        row, [](int64_t) {},
        [&] {
          run_block(any);
          any = true;
        });
    finish(row, any);
  }

  SGNN_OUT_OF_LINE void run_block(bool started) {
    scores_.score(edges_, weight_.data(), positive_weight_.data());
    state_.add(weight_.data(), edges_.count);
    dropout_.draw(edges_);
    weigh_block();
    if (started) {
      rows_.scale(state_.factor(), sum_.data());
      if constexpr (kPositive) rows_.scale(state_.factor(), positive_sum_.data());
    }
    rows_.template add<kPositive>(edges_, static_cast<const T*>(args_.x), weight_.data(),
                                  positive_weight_.data(), sum_.data(), positive_sum_.data());
  }

  // Turns exp(score - max) into coefficients, and sums what positive scores hold of it.
  void weigh_block() {
    const int64_t slots = layout_.slots(edges_.count);
    for (int64_t first = 0; first < layout_.span; first += kLanes<A>) {
      vec_t<A> mass{};
      for (int64_t s = first; s < slots; s += layout_.span) {
        const vec_t<A> weight = load(weight_.data() + s);
        const vec_t<A> dropped = dropout_.apply(weight, s);
        store(weight_.data() + s, dropped);
        if constexpr (kPositive) {
          const vec_t<A> positive = load(positive_weight_.data() + s);
          mass += positive * weight;
          store(positive_weight_.data() + s, positive * dropped);
        }
      }
      if constexpr (kPositive) {
        A* total = positive_mass_.data() + first;
        store(total,
              load(total) * load(state_.factor() + first) + sum_periodic<A>(mass, layout_.stride));
      }
    }
  }

  void finish(int64_t row, bool any) {
    const int64_t heads = layout_.heads;
    auto* max = static_cast<A*>(args_.row_max) + row * heads;
    auto* inverse = static_cast<A*>(args_.inv_sum) + row * heads;
    for (int64_t s = 0; s < layout_.span; ++s) inverse_[s] = any ? A(1) / state_.sum()[s] : A(0);
    for (int64_t h = 0; h < heads; ++h) max[h] = any ? state_.max()[h] : A(0);
    for (int64_t h = 0; h < heads; ++h) inverse[h] = inverse_[h];
    rows_.write(inverse_.data(), sum_.data(), static_cast<T*>(args_.y) + row * rows_.columns());
    if constexpr (kPositive) {
      auto* mass = static_cast<A*>(args_.positive_weight) + row * heads;
      for (int64_t h = 0; h < heads; ++h) mass[h] = positive_mass_[h] * inverse_[h];
      rows_.write(inverse_.data(), positive_sum_.data(),
                  static_cast<T*>(args_.positive) + row * rows_.columns());
    }
  }

  const Args& args_;
  KeptEdges edges_;
  const HeadLayout<A> layout_;
  SoftmaxState<A> state_;
  BlockDropout<A> dropout_;
  const WeightedRows<T, kShape> rows_;
  Scores scores_;
  Scratch<A> weight_;           // per slot: score, then exp, then coefficient
  Scratch<A> positive_weight_;  // the same where the score is positive, 0 elsewhere
  Scratch<A> sum_;
  Scratch<A> positive_sum_;
  Scratch<A> positive_mass_;
  Scratch<A> inverse_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop bodies of edge_softmax and its gradient over rows [begin, end): a row that fits one
// block is read once, a longer one twice.
#pragma once

#include "edge_scores_rows.h"
#include "kept_edges.h"
#include "sgnn/edge_softmax.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class EdgeSoftmaxRows {
 public:
  explicit EdgeSoftmaxRows(const EdgeSoftmaxArgs& args)
      : edges_(args.csr, args.bits),
        scores_(static_cast<const A*>(args.scores)),
        out_(static_cast<A*>(args.out)),
        layout_(args.heads),
        state_(layout_),
        block_(layout_.slots(kBlockEdges)) {}

  void run(int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(row);
  }

 private:
  void run_row(int64_t row) {
    state_.reset();
    int64_t blocks = 0;
    edges_.for_each_block(
        row, [&](int64_t id) { write_zero(id); },
        [&] {
          load_block();
          state_.add(block_.data(), edges_.count);
          ++blocks;
        });
    if (blocks == 1) return write_block();
    if (blocks == 0) return;
    edges_.for_each_block(
        row, [](int64_t) {},
        [&] {
          load_block();
          exponentiate();
          write_block();
        });
  }

  void write_zero(int64_t id) {
    for (int64_t h = 0; h < layout_.heads; ++h) out_[id * layout_.heads + h] = A(0);
  }

  void load_block() {
    const int64_t heads = layout_.heads;
    for (int64_t b = 0; b < edges_.count; ++b) {
      copy_heads(block_.data() + b * layout_.stride, scores_ + edges_.id[b] * heads, heads);
    }
  }

  // exp(score - max) with the maximum of the whole row.
  void exponentiate() {
    const int64_t slots = layout_.slots(edges_.count);
    for (int64_t s = 0; s < slots; s += kLanes<A>) {
      const vec_t<A> highest = load(state_.max() + s % layout_.span);
      store(block_.data() + s, exp_nonpositive(load(block_.data() + s) - highest));
    }
  }

  void write_block() {
    const int64_t heads = layout_.heads;
    for (int64_t b = 0; b < edges_.count; ++b) {
      const A* value = block_.data() + b * layout_.stride;
      A* target = out_ + edges_.id[b] * heads;
      for (int64_t h = 0; h < heads; ++h) target[h] = value[h] / state_.sum()[h];
    }
  }

  KeptEdges edges_;
  const A* scores_;
  A* out_;
  const HeadLayout<A> layout_;
  SoftmaxState<A> state_;
  Scratch<A> block_;
};

template <typename A, typename Index>
void edge_softmax_grad_rows(const EdgeSoftmaxGradArgs& args, int64_t begin, int64_t end) {
  const CsrView<Index> csr = view_csr<Index>(args.csr);
  const auto* softmax = static_cast<const A*>(args.softmax);
  const auto* grad = static_cast<const A*>(args.grad);
  auto* out = static_cast<A*>(args.out);
  const int64_t heads = args.heads;
  Scratch<A> total(heads);
  for (int64_t row = begin; row < end; ++row) {
    A* const sum = total.data();
    for (int64_t h = 0; h < heads; ++h) sum[h] = A(0);
    for_each_edge(
        csr, args.bits, row,
        [&](int64_t, int64_t id) {
          const int64_t at = id * heads;
          for (int64_t h = 0; h < heads; ++h) sum[h] += softmax[at + h] * grad[at + h];
        },
        [&](int64_t id) {
          for (int64_t h = 0; h < heads; ++h) out[id * heads + h] = A(0);
        });
    for_each_edge(
        csr, args.bits, row,
        [&](int64_t, int64_t id) {
          const int64_t at = id * heads;
          for (int64_t h = 0; h < heads; ++h)
            out[at + h] = softmax[at + h] * (grad[at + h] - sum[h]);
        },
        [](int64_t) {});
  }
}

}  // namespace sgnn::cpu::SGNN_ISA

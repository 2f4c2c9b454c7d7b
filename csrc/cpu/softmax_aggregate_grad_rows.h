// The loop body of the gradients of softmax aggregation over rows [begin, end) of the transpose,
// for one instruction set: what an edge needs of its target is gathered together.
#pragma once

#include "softmax_aggregate_tile.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SoftmaxAggregateGradRows {
 public:
  using A = acc_t<T>;

  explicit SoftmaxAggregateGradRows(const SoftmaxAggregateGradArgs& args)
      : args_(args),
        message_(args),
        prefetch_(args.csr.num_cols * args.width * element_bytes(args.dtype) > kSoftmaxNearBytes),
        stream_(streams<A>(args.dx, args.csr.num_rows, args.width, element_bytes(args.dtype))),
        spans_(args.csr, kept_only<A>(args.bits)),
        carry_(2 * (args.width + kLanes<A>)),
        dt_(args.width + kLanes<A>) {}

  void run(int64_t row, int64_t row_end) {
    spans_.for_each(row, row_end, [&](const Span& span) {
      for_each_tile<kSoftmaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
        using Shape = decltype(shape);
        run_rows<Shape::kTile, Shape::kPartial>(span, f, count);
      });
    });
    fence_stores();
  }

  // The part of the rows so far in the gradient of t.
  void write_dt(A* out) const {
    for (int64_t c = 0; c < args_.width; ++c) out[c] = dt_[c];
  }

 private:
  using Span = typename RowSpans<A>::Span;
  using Block = typename SpmmStage<A>::Block;

  // A tile of one source. With w = p_e g: the sums of w and of w (m - y).
  template <int kTile>
  struct Source {
    vec_t<A> t[kTile];
    vec_t<A> x[kTile];
    vec_t<A> sum[kTile];
    vec_t<A> slope[kTile];
  };

  A* carry(int number) { return carry_.data() + number * (args_.width + kLanes<A>); }

  // Out of line: inlined side by side, the tiles would spill their registers.
  template <int kTile, bool kPartial>
  SGNN_OUT_OF_LINE void run_rows(const Span& span, int64_t f, int count) {
    Source<kTile> source;
    const A* t = static_cast<const A*>(args_.t) + f;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) source.t[v] = load_tile<kTile, kPartial>(t, v, count);
    bool started = span.kept_before > 0;
    int64_t slot = 0;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = span.end_slot[r];
      start_row<kTile, kPartial>(span.row + r, started, f, count, source);
      for (; slot < end; ++slot) add_edge<kTile, kPartial>(span.block, slot, f, count, source);
      write<kTile, kPartial>(span.row + r, f, count, source);
      started = false;
    }
    if (!span.open) return;
    start_row<kTile, kPartial>(span.row + span.rows, started, f, count, source);
    for (; slot < span.slots; ++slot) add_edge<kTile, kPartial>(span.block, slot, f, count, source);
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {  // the tail may reach past the width
      store(carry(0) + f + v * kLanes<A>, source.sum[v]);
      store(carry(1) + f + v * kLanes<A>, source.slope[v]);
    }
  }

  // A row begins from its edges in earlier spans when it has `started` there.
  template <int kTile, bool kPartial>
  SGNN_INLINE void start_row(int64_t row, bool started, int64_t f, int count,
                             Source<kTile>& source) {
    const T* x = static_cast<const T*>(args_.x) + row * args_.x_stride + f;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const int64_t at = f + v * kLanes<A>;
      source.x[v] = load_tile<kTile, kPartial>(x, v, count);
      source.sum[v] = started ? load(carry(0) + at) : vec_t<A>{};
      source.slope[v] = started ? load(carry(1) + at) : vec_t<A>{};
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void add_edge(const Block& block, int64_t slot, int64_t f, int count,
                            Source<kTile>& source) const {
    constexpr int kDistance = prefetch_distance<3 * kTile, T>();
    const T* g = static_cast<const T*>(args_.grad) + f;
    const T* y = static_cast<const T*>(args_.y) + f;
    const A* log_sum = static_cast<const A*>(args_.log_sum) + f;
    if (prefetch_ && slot + kDistance < block.ahead) {
      const auto later = static_cast<int64_t>(block.col[slot + kDistance]);
      prefetch_tile<kTile>(g + later * args_.grad_stride);
      prefetch_tile<kTile>(y + later * args_.width);
      prefetch_tile<kTile>(log_sum + later * args_.width);
    }
    const auto target = static_cast<int64_t>(block.col[slot]);
    g += target * args_.grad_stride;
    y += target * args_.width;
    log_sum += target * args_.width;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> spread = message_.of(source.x[v]) - load_tile<kTile, kPartial>(y, v, count);
      vec_t<A> exponent = source.t[v] * spread - load_tile<kTile, kPartial>(log_sum, v, count);
      exponent = exponent > vec_t<A>{} ? vec_t<A>{} : exponent;  // by rounding
      const vec_t<A> weight = exp_nonpositive(exponent) * load_tile<kTile, kPartial>(g, v, count);
      source.sum[v] += weight;
      source.slope[v] += weight * spread;
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void write(int64_t row, int64_t f, int count, const Source<kTile>& source) {
    T* dx = static_cast<T*>(args_.dx) + row * args_.width + f;
    A* dt = dt_.data() + f;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> gradient = source.sum[v] + source.t[v] * source.slope[v];
      write_vector<kTile, kPartial>(dx, v, count, message_.derive(source.x[v], gradient), stream_);
      const vec_t<A> so_far = load(dt + v * kLanes<A>);
      store(dt + v * kLanes<A>, so_far + message_.of(source.x[v]) * source.slope[v]);
    }
  }

  const SoftmaxAggregateGradArgs& args_;
  const Message<A> message_;
  const bool prefetch_;
  const bool stream_;  // dx goes past the caches
  RowSpans<A> spans_;
  Scratch<A> carry_;  // both sums of a row that goes on in the next span
  Scratch<A> dt_;
};

}  // namespace sgnn::cpu::SGNN_ISA

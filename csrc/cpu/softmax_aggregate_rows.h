// The loop body of softmax aggregation over rows [begin, end), for one instruction set: edges are
// staged by spans, and every tile of columns walks the rows of a span. A few edges at a time, first
// the largest message is found, then their terms are added: the second pass finds the rows of the
// first in the L1 cache.
#pragma once

#include "log.h"
#include "softmax_aggregate_tile.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SoftmaxAggregateRows {
 public:
  using A = acc_t<T>;

  explicit SoftmaxAggregateRows(const SoftmaxAggregateArgs& args)
      : args_(args),
        message_(args),
        prefetch_(args.csr.num_cols * args.x_stride * element_bytes(args.dtype) >
                  kSoftmaxNearBytes),
        stream_y_(streams<A>(args.y, args.csr.num_rows, args.width, element_bytes(args.dtype))),
        stream_log_sum_(args.log_sum != nullptr &&
                        streams<A>(args.log_sum, args.csr.num_rows, args.width,
                                   static_cast<int64_t>(sizeof(A)))),
        spans_(args.csr, kept_only<A>(args.bits)),
        carry_(3 * (args.width + kLanes<A>)) {}

  void run(int64_t row, int64_t row_end) {
    spans_.for_each(row, row_end, [&](const Span& span) {
      for_each_tile<kSoftmaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
        using Shape = decltype(shape);
        run_rows<Shape::kTile, Shape::kPartial>(span, f, count);
      });
    });
    fence_stores();
  }

 private:
  static constexpr int64_t kTurn = 16;  // edges of which both passes are made in turn

  using Span = typename RowSpans<A>::Span;
  using Block = typename SpmmStage<A>::Block;

  // A tile of one row. Messages without their shift, times the sign of t: the largest has the
  // largest exponent. Weights are relative to its own.
  template <int kTile>
  struct Sums {
    vec_t<A> sign[kTile];
    vec_t<A> rate[kTile];  // |t|
    vec_t<A> max[kTile];
    vec_t<A> sum[kTile];
    vec_t<A> value[kTile];
  };

  A* carry(int number) { return carry_.data() + number * (args_.width + kLanes<A>); }

  // Out of line: inlined side by side, the tiles would spill their registers.
  template <int kTile, bool kPartial>
  SGNN_OUT_OF_LINE void run_rows(const Span& span, int64_t f, int count) {
    Sums<kTile> sums;
    const A* t = static_cast<const A*>(args_.t) + f;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> factor = load_tile<kTile, kPartial>(t, v, count);
      sums.sign[v] = factor < vec_t<A>{} ? splat(A(-1)) : splat(A(1));
      sums.rate[v] = factor * sums.sign[v];
    }
    bool started = span.kept_before > 0;
    int64_t slot = 0;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = span.end_slot[r];
      start_row<kTile>(started, f, sums);
      take_edges<kTile, kPartial>(span.block, slot, end, started, f, count, sums);
      write<kTile, kPartial>(span.row + r, started || slot < end, f, count, sums);
      started = false;
      slot = end;
    }
    if (!span.open) return;
    start_row<kTile>(started, f, sums);
    take_edges<kTile, kPartial>(span.block, slot, span.slots, started, f, count, sums);
    keep<kTile>(f, sums);
  }

  // A row begins from its edges in earlier spans when it has `started` there.
  template <int kTile>
  SGNN_INLINE void start_row(bool started, int64_t f, Sums<kTile>& sums) {
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const int64_t at = f + v * kLanes<A>;
      sums.max[v] = started ? load(carry(0) + at) : splat(-std::numeric_limits<A>::infinity());
      sums.sum[v] = started ? load(carry(1) + at) : vec_t<A>{};
      sums.value[v] = started ? load(carry(2) + at) : vec_t<A>{};
    }
  }

  // The tail may reach past the width.
  template <int kTile>
  SGNN_INLINE void keep(int64_t f, const Sums<kTile>& sums) {
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const int64_t at = f + v * kLanes<A>;
      store(carry(0) + at, sums.max[v]);
      store(carry(1) + at, sums.sum[v]);
      store(carry(2) + at, sums.value[v]);
    }
  }

  // A turn's sums are taken apart: the sums of a long row are added to once per turn.
  template <int kTile, bool kPartial>
  SGNN_INLINE void take_edges(const Block& block, int64_t slot, int64_t end, bool started,
                              int64_t f, int count, Sums<kTile>& sums) const {
    while (slot < end) {
      const int64_t stop = slot + kTurn < end ? slot + kTurn : end;
      Sums<kTile> turn;
      find_max<kTile, kPartial>(block, slot, stop, f, count, sums, turn);
      for (; slot < stop; ++slot) add_edge<kTile, kPartial>(block, slot, f, count, turn);
      if (started) add_earlier<kTile>(sums, turn);
      sums = turn;
      started = true;
    }
  }

  SGNN_INLINE const T* source(const Block& block, int64_t slot, int64_t f) const {
    return static_cast<const T*>(args_.x) + static_cast<int64_t>(block.col[slot]) * args_.x_stride +
           f;
  }

  // Starts a turn over slots [slot, stop): the largest message so far and no sums. NaN leaves the
  // maximum alone.
  template <int kTile, bool kPartial>
  SGNN_INLINE void find_max(const Block& block, int64_t slot, int64_t stop, int64_t f, int count,
                            const Sums<kTile>& before, Sums<kTile>& turn) const {
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      turn.sign[v] = before.sign[v];
      turn.rate[v] = before.rate[v];
      turn.max[v] = before.max[v];
      turn.sum[v] = turn.value[v] = vec_t<A>{};
    }
    for (; slot < stop; ++slot) {
      const T* x = source(block, slot, f);
#pragma GCC unroll 4
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> m = turn.sign[v] * message_.bound(load_tile<kTile, kPartial>(x, v, count));
        turn.max[v] = m > turn.max[v] ? m : turn.max[v];
      }
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void add_edge(const Block& block, int64_t slot, int64_t f, int count,
                            Sums<kTile>& sums) const {
    constexpr int kDistance = prefetch_distance<kTile, T>();
    if (prefetch_ && slot + kDistance < block.ahead) {
      prefetch_tile<kTile>(source(block, slot + kDistance, f));
    }
    const T* x = source(block, slot, f);
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> m = sums.sign[v] * message_.bound(load_tile<kTile, kPartial>(x, v, count));
      const vec_t<A> weight = exp_nonpositive(sums.rate[v] * (m - sums.max[v]));
      sums.sum[v] += weight;
      sums.value[v] += weight * m;
    }
  }

  template <int kTile>
  static SGNN_INLINE void add_earlier(const Sums<kTile>& before, Sums<kTile>& turn) {
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> factor = exp_nonpositive(turn.rate[v] * (before.max[v] - turn.max[v]));
      turn.sum[v] += factor * before.sum[v];
      turn.value[v] += factor * before.value[v];
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void write(int64_t row, bool any, int64_t f, int count, const Sums<kTile>& sums) {
    T* y = static_cast<T*>(args_.y) + row * args_.width + f;
    A* log_sum =
        args_.log_sum == nullptr ? nullptr : static_cast<A*>(args_.log_sum) + row * args_.width + f;
#pragma GCC unroll 4
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> mean = sums.sign[v] * (sums.value[v] / sums.sum[v]) + message_.eps;
      const vec_t<A> result = any ? mean : vec_t<A>{};
      write_vector<kTile, kPartial>(y, v, count, result, stream_y_);
      if (log_sum == nullptr) continue;
      const vec_t<A> best = sums.sign[v] * sums.max[v] + message_.eps;
      const vec_t<A> exponent = sums.rate[v] * (sums.sign[v] * (best - as_stored<T>(result)));
      const vec_t<A> total = any ? exponent + log_positive(sums.sum[v]) : vec_t<A>{};
      write_vector<kTile, kPartial>(log_sum, v, count, total, stream_log_sum_);
    }
  }

  const SoftmaxAggregateArgs& args_;
  const Message<A> message_;
  const bool prefetch_;
  const bool stream_y_;  // past the caches
  const bool stream_log_sum_;
  RowSpans<A> spans_;
  Scratch<A> carry_;  // max, sum and value of a row that goes on in the next span
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop body of max and min aggregation over rows [begin, end), for one instruction set: edges
// are staged by spans, and every tile of columns walks the rows of a span. The smallest message is
// the largest of negated ones.
#pragma once

#include <type_traits>

#include "extreme_tile.h"
#include "past_caches.h"
#include "row_spans.h"
#include "row_tile.h"
#include "scratch.h"
#include "sgnn/spmm_extreme.h"
#include "short_rows.h"
#include "spmm_tile.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, bool kArg>
class SpmmExtremeRows {
 public:
  using A = acc_t<T>;

  explicit SpmmExtremeRows(const SpmmExtremeArgs& args)
      : args_(args),
        sign_(args.smallest ? A(-1) : A(1)),
        prefetch_(args.csr.num_cols * args.x_stride * static_cast<int64_t>(sizeof(T)) > kNearBytes),
        stream_(streams<A>(args.y, args.csr.num_rows, args.width, static_cast<int64_t>(sizeof(T)))),
        short_(ShortRows<A>::pay(args.csr, args.width * static_cast<int64_t>(sizeof(T)))),
        spans_(args.csr, {static_cast<const A*>(args.weight), static_cast<const A*>(args.mask),
                          nullptr, args.bits}),
        carry_(args.width + kLanes<A>) {}

  void run(int64_t row, int64_t row_end) {
    spans_.for_each(row, row_end, [&](const Span& span) {
      for_each_tile<kMaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
        using Shape = decltype(shape);
        run_rows<Shape::kTile, Shape::kPartial>(span, f, count);
      });
    });
    if (stream_) fence_stores();
  }

 private:
  // Half of the registers hold the best so far.
  static constexpr int kMaxTile = 8 / (kArg && kVectorBytes < 64 ? 2 : 1);
  static constexpr int64_t kNearBytes = 512 << 10;  // x that the L2 cache holds: no prefetch

  using Span = typename RowSpans<A>::Span;
  using Block = typename SpmmStage<A>::Block;

  template <int kTile>
  using Best = std::conditional_t<kArg, LargestWithSlot<A, kTile>, Largest<A, kTile>>;

  // Out of line: inlined side by side, the tiles would spill their registers.
  template <int kTile, bool kPartial>
  __attribute__((noinline)) void run_rows(const Span& span, int64_t f, int count) {
    const GatherTile<T, kTile, kPartial> tile{static_cast<const T*>(args_.x) + f, args_.x_stride,
                                              count - (kTile - 1) * kLanes<A>, prefetch_};
    bool started = span.kept_before > 0;
    if constexpr (kTile == 1 && !kArg) {
      if (short_ && run_short_rows<kPartial>(span, tile, f, count)) return;
    }
    int64_t slot = 0;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = span.end_slot[r];
      const int64_t row = span.row + r;
      Best<kTile> best;
      start_row<kTile>(slot, started, f, best);
      take_edges(tile, span.block, slot, end, best);
      if constexpr (kArg) write_arg<kTile>(row, slot < end, started, f, count, best);
      write<kTile, kPartial>(row, started || slot < end, f, count, best);
      started = false;
      slot = end;
    }
    if (!span.open) return;
    Best<kTile> best;
    start_row<kTile>(slot, started, f, best);
    take_edges(tile, span.block, slot, span.slots, best);
    if constexpr (kArg) {
      write_arg<kTile>(span.row + span.rows, slot < span.slots, started, f, count, best);
    }
    keep<kTile>(f, best);
  }

  struct Step {
    vec_t<A> sign;
    vec_t<A> seen;
    SGNN_INLINE vec_t<A> start() const { return splat(kLowest<A>); }
    SGNN_INLINE vec_t<A> step(vec_t<A> best, vec_t<A> coefficient, vec_t<A> value) {
      const vec_t<A> message = coefficient * sign * value;
      seen += message;
      return larger<A>(message, best);
    }
  };

  // Returns whether it wrote the rows: there was no NaN among their messages.
  template <bool kPartial>
  bool run_short_rows(const Span& span, const GatherTile<T, 1, kPartial>& tile, int64_t f,
                      int count) {
    const bool started = span.kept_before > 0;
    Step step{splat(sign_), vec_t<A>{}};
    rows_.run(span, tile, started ? load(carry_.data() + f) : step.start(), step);
    if (has_nan<A>(step.seen)) return false;
    int64_t slot = -span.kept_before;
    for (int r = 0; r < span.rows; ++r) {
      Best<1> best;
      best.start(0, rows_.row(r), 0);
      write<1, kPartial>(span.row + r, slot < span.end_slot[r], f, count, best);
      slot = span.end_slot[r];
    }
    if (span.open) store(carry_.data() + f, rows_.row(span.rows));
    return true;
  }

  // A row begins from its edges in earlier spans when it has `started` there.
  template <int kTile>
  SGNN_INLINE void start_row(int64_t slot, bool started, int64_t f, Best<kTile>& best) const {
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> before = started ? load(carry_.data() + f + v * kLanes<A>) : splat(kLowest<A>);
      best.start(v, before, started ? -1 : static_cast<int>(slot));
    }
  }

  // Takes the edges of slots [slot, end).
  template <int kTile, bool kPartial>
  SGNN_INLINE void take_edges(const GatherTile<T, kTile, kPartial>& tile, const Block& block,
                              int64_t slot, int64_t end, Best<kTile>& best) const {
    best.start_chains(sign_);
    tile.gather(block, slot, end, best);
    best.join();
    if (__builtin_expect(best.suspicious(), 0)) repair(tile, block, slot, end, best);
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void repair(const GatherTile<T, kTile, kPartial>& tile, const Block& block,
                          int64_t slot, int64_t end, Best<kTile>& best) const {
    Repair<kTile> again{best};
    tile.gather(block, slot, end, again);
    best = again.best;
  }

  template <int kTile>
  struct Repair {
    Best<kTile> best;
    template <int, typename Load>
    SGNN_INLINE void take(int64_t slot, vec_t<A> coefficient, const Load& load_vector) {
      for (int v = 0; v < kTile; ++v)
        best.repair(v, coefficient * best.sign * load_vector(v), slot);
    }
  };

  // The best of a row that goes on in the next span. The tail may reach past the width.
  template <int kTile>
  SGNN_INLINE void keep(int64_t f, const Best<kTile>& best) {
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) store(carry_.data() + f + v * kLanes<A>, best.best(v));
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void write(int64_t row, bool any, int64_t f, int count, const Best<kTile>& best) {
    T* y = static_cast<T*>(args_.y) + row * args_.width + f;
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      const vec_t<A> value = any ? best.best(v) * splat(sign_) : vec_t<A>{};
      if (!kPartial && stream_) {
        store_past_caches(y + v * kLanes<A>, value);
      } else {
        store_tile<kTile, kPartial>(y, v, count, value);
      }
    }
  }

  // `any`: the span has kept edges of the row; `started`: earlier spans had.
  template <int kTile>
  SGNN_INLINE void write_arg(int64_t row, bool any, bool started, int64_t f, int count,
                             const Best<kTile>& best) const {
    if (!any && started) return;
    typename LaneIndexOf<A>::scalar slot[kTile * kLanes<A>];
#pragma GCC unroll 8
    for (int v = 0; v < kTile; ++v) {
      *reinterpret_cast<lane_index_t<A>*>(slot + v * kLanes<A>) =
          any ? best.slot[v] : lane_index_t<A>{} - 1;
    }
    if (args_.csr.index_type == IndexType::kInt32) {
      return write_ids(static_cast<int32_t*>(args_.arg) + row * args_.width + f, slot, count,
                       started);
    }
    write_ids(static_cast<int64_t*>(args_.arg) + row * args_.width + f, slot, count, started);
  }

  // A slot of -1 stands for "as before": no edge at all in the row's first run.
  template <typename Index, typename Slot>
  void write_ids(Index* arg, const Slot* slot, int count, bool started) const {
    for (int i = 0; i < count; ++i) {
      if (slot[i] >= 0) {
        arg[i] = static_cast<Index>(spans_.id(slot[i]));
      } else if (!started) {
        arg[i] = Index(-1);
      }
    }
  }

  const SpmmExtremeArgs& args_;
  const A sign_;
  const bool prefetch_;
  const bool stream_;  // y goes past the caches
  const bool short_;
  RowSpans<A> spans_;
  ShortRows<A> rows_;
  Scratch<A> carry_;
};

}  // namespace sgnn::cpu::SGNN_ISA

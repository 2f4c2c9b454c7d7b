// The loop body of max and min aggregation over rows [begin, end), for one instruction set: edges
// are staged by runs, and every tile of columns walks the rows of a run. The smallest message is
// the largest of negated ones.
#pragma once

#include <algorithm>

#include "extreme_tile.h"
#include "scratch.h"
#include "sgnn/spmm_extreme.h"
#include "wide_edges.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, bool kArg>
class SpmmExtremeRows {
 public:
  using A = acc_t<T>;

  explicit SpmmExtremeRows(const SpmmExtremeArgs& args)
      : args_(args),
        sign_(args.smallest ? A(-1) : A(1)),
        prefetch_(args.csr.num_cols * args.x_stride * static_cast<int64_t>(sizeof(T)) > kNearBytes),
        edges_(args.csr, args.weight, args.mask, args.bits, sign_),
        carry_(args.width + kLanes<A>) {}

  void run(int64_t row, int64_t row_end) {
    const int64_t end = edges_.row_begin(row_end);
    int64_t position = edges_.row_begin(row);
    bool started = false;
    while (row < row_end) {
      const int64_t stop = std::min(position + WideEdges<A>::kSize, end);
      if (position < stop) edges_.load(position, stop);
      const Span span{row, row_end, position, stop, started};
      for_each_tile<kMaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
        using Shape = decltype(shape);
        run_rows<Shape::kTile, Shape::kPartial>(span, f, count);
      });
      for (; row < row_end && edges_.row_begin(row + 1) <= stop; ++row) started = false;
      if (row < row_end) {
        const int64_t begin = std::max(edges_.row_begin(row), position);
        started = started || (begin < stop && edges_.slot(begin) < edges_.slot(stop));
      }
      position = stop;
    }
  }

 private:
  static constexpr int kMaxTile = 8;
  static constexpr int64_t kNearBytes = 512 << 10;  // x that the L2 cache holds: no prefetch

  // Rows of the staged run [begin, end); `started`: the first has kept edges in earlier runs.
  struct Span {
    int64_t row;
    int64_t row_end;
    int64_t begin;
    int64_t end;
    bool started;
  };

  template <int kTile>
  using Best = std::conditional_t<kArg, LargestWithSlot<A, kTile>, Largest<A, kTile>>;

  template <int kTile, bool kPartial>
  void run_rows(const Span& span, int64_t f, int count) {
    bool started = span.started;
    int64_t position = span.begin;
    for (int64_t row = span.row; row < span.row_end; ++row, started = false) {
      const int64_t row_stop = edges_.row_begin(row + 1);
      const int64_t stop = std::min(row_stop, span.end);
      const int slot = position < stop ? edges_.slot(position) : 0;
      const int last = position < stop ? edges_.slot(stop) : 0;
      Best<kTile> best;
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        const vec_t<A> before =
            started ? load(carry_.data() + f + v * kLanes<A>) : splat(kLowest<A>);
        best.start(v, before, started ? -1 : slot);
      }
      take_edges<kTile, kPartial>(slot, last, f, count, best);
      if constexpr (kArg) write_arg<kTile>(row, slot < last, started, f, count, best);
      if (row_stop > span.end) return keep<kTile>(f, best);
      write<kTile, kPartial>(row, started || slot < last, f, count, best);
      position = stop;
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void take_edges(int slot, int last, int64_t f, int count, Best<kTile>& best) const {
    // A row of one line leaves room for more requests in flight.
    constexpr int kDistance = kTile == 1 ? 32 : prefetch_distance<kTile, T>();
    const T* x = static_cast<const T*>(args_.x) + f;
    for (; slot < last; ++slot) {
      if (prefetch_) prefetch_tile<kTile>(x + edges_.col(slot + kDistance) * args_.x_stride);
      const T* source = x + edges_.col(slot) * args_.x_stride;
      const vec_t<A> coefficient = splat(edges_.coefficient(slot));
#pragma GCC unroll 8
      for (int v = 0; v < kTile; ++v) {
        best.take(v, coefficient * load_tile<kTile, kPartial>(source, v, count), slot);
      }
    }
  }

  // The sums of a row that goes on in the next run. The tail may reach past the width.
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
      store_tile<kTile, kPartial>(y, v, count, any ? best.best(v) * splat(sign_) : vec_t<A>{});
    }
  }

  // `any`: the run has kept edges of the row; `started`: earlier runs had.
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
        arg[i] = static_cast<Index>(edges_.id(static_cast<int>(slot[i])));
      } else if (!started) {
        arg[i] = Index(-1);
      }
    }
  }

  const SpmmExtremeArgs& args_;
  const A sign_;
  const bool prefetch_;
  WideEdges<A> edges_;
  Scratch<A> carry_;
};

}  // namespace sgnn::cpu::SGNN_ISA

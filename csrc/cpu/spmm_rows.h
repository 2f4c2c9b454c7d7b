// The SpMM loop body over rows [begin, end), for one instruction set: edges are staged by spans,
// and every tile of columns walks the rows of a span with its sums in registers.
#pragma once

#include <algorithm>

#include "row_spans.h"
#include "short_rows.h"
#include "spmm_finish.h"
#include "spmm_tile.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int kMaxTile = kVectorBytes == 64 ? 16 : 8;  // half of the registers hold accumulators
constexpr int64_t kMaxColumns = 1024;                  // that walk a block together
constexpr int64_t kNearBytes = 512 << 10;              // x that the L2 cache holds: no prefetch

template <typename T>
class SpmmRows {
 public:
  using A = acc_t<T>;

  explicit SpmmRows(const SpmmArgs& args)
      : args_(args),
        row_scale_(static_cast<const A*>(args.row_scale)),
        scaled_(args.mean || args.row_scale != nullptr),
        prefetch_(args.csr.num_cols * args.x_stride * element_bytes(args.dtype) > kNearBytes),
        spans_(args.csr, {static_cast<const A*>(args.weight), static_cast<const A*>(args.mask),
                          static_cast<const A*>(args.col_scale), args.bits}),
        finish_(args),
        short_(ShortRows<A>::pay(args.csr, args.width * element_bytes(args.out_dtype))) {}

  // Columns [first, last) of rows [begin, end).
  void run(int64_t begin, int64_t end, int64_t first, int64_t last) {
    for (; first < last; first += kMaxColumns) {
      run_columns(begin, end, first, std::min(first + kMaxColumns, last));
    }
    finish_.done();
  }

 private:
  using Span = typename RowSpans<A>::Span;

  void run_columns(int64_t row, int64_t row_end, int64_t first, int64_t last) {
    spans_.for_each(row, row_end, [&](const Span& span) { run_tiles(span, first, last); });
  }

  void run_tiles(const Span& span, int64_t first, int64_t last) {
    int64_t f = first;
    while (f < last) {
      if (kMaxTile >= 16 && run_tile<kMaxTile>(span, first, &f, last)) continue;
      if (run_tile<8>(span, first, &f, last) || run_tile<4>(span, first, &f, last)) continue;
      if (run_tile<3>(span, first, &f, last) || run_tile<2>(span, first, &f, last)) continue;
      run_tile<1>(span, first, &f, last);
    }
  }

  // Runs the tile and advances f when the columns left need kTile vectors or more.
  template <int kTile>
  bool run_tile(const Span& span, int64_t first, int64_t* f, int64_t last) {
    constexpr int64_t lanes = kLanes<A>;
    const int64_t left = last - *f;
    if (left <= (kTile - 1) * lanes) return false;
    const int count = static_cast<int>(std::min(left, kTile * lanes));
    if (count == kTile * lanes) {
      run_rows<kTile, false>(span, *f, count, carry_ + (*f - first));
    } else {
      run_rows<kTile, true>(span, *f, count, carry_ + (*f - first));
    }
    *f += count;
    return true;
  }

  template <int kTile, bool kPartial>
  void run_rows(const Span& span, int64_t f, int count, A* carry) {
    constexpr int lanes = kLanes<A>;
    const GatherTile<T, kTile, kPartial> tile{static_cast<const T*>(args_.x) + (f - args_.x_first),
                                              args_.x_stride, count - (kTile - 1) * lanes,
                                              prefetch_};
    if constexpr (kTile == 1) {
      if (short_) return run_short_rows<kPartial>(span, tile, f, count, carry);
    }
    TileSums<A, kTile> sums{};
    if (span.continued) {
      for (int v = 0; v < kTile; ++v) sums.sum[0][v] = load(carry + v * lanes);
    }
    int64_t slot = 0;
    int64_t kept_before = span.kept_before;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = span.end_slot[r];
      tile.gather(span.block, slot, end, sums);
      sums.join();
      finish_.template write_tile<T, kTile, kPartial>(
          span.row + r, f, count, row_factor(span.row + r, kept_before + end - slot), sums.sum[0]);
      sums = {};
      kept_before = 0;
      slot = end;
    }
    if (!span.open) return;
    tile.gather(span.block, slot, span.slots, sums);
    sums.join();
    for (int v = 0; v < kTile; ++v) store(carry + v * lanes, sums.sum[0][v]);
  }

  struct Sum {
    SGNN_INLINE vec_t<A> start() const { return vec_t<A>{}; }
    SGNN_INLINE vec_t<A> step(vec_t<A> sum, vec_t<A> coefficient, vec_t<A> value) {
      return sum + coefficient * value;
    }
  };

  template <bool kPartial>
  void run_short_rows(const Span& span, const GatherTile<T, 1, kPartial>& tile, int64_t f,
                      int count, A* carry) {
    Sum sum;
    rows_.run(span, tile, span.continued ? load(carry) : vec_t<A>{}, sum);
    int64_t slot = -span.kept_before;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = span.end_slot[r];
      const vec_t<A> value = rows_.row(r);
      finish_.template write_tile<T, 1, kPartial>(span.row + r, f, count,
                                                  row_factor(span.row + r, end - slot), &value);
      slot = end;
    }
    if (span.open) store(carry, rows_.row(span.rows));
  }

  // Factor applied to a finished row sum. A row without kept edges is zero even where its scale is
  // infinite, as D^-1/2 of an isolated node is.
  SGNN_INLINE A row_factor(int64_t row, int64_t kept) const {
    if (!scaled_) return A(1);
    if (kept == 0) return A(0);
    const A scale = row_scale_ != nullptr ? row_scale_[row] : A(1);
    return args_.mean ? scale / static_cast<A>(kept) : scale;
  }

  const SpmmArgs& args_;
  const A* row_scale_;
  const bool scaled_;
  const bool prefetch_;
  RowSpans<A> spans_;
  SpmmFinish<A> finish_;
  const bool short_;
  ShortRows<A> rows_;
  A carry_[kMaxColumns + kLanes<A>];  // sums of a row that goes on in the next block
};

}  // namespace sgnn::cpu::SGNN_ISA

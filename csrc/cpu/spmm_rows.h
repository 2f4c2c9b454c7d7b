// The SpMM loop body over rows [begin, end), for one instruction set: edges are staged by spans,
// and every tile of columns walks the rows of a span with its sums in registers.
#pragma once

#include <algorithm>

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
        stage_(args),
        csr_(stage_.csr()),
        finish_(args) {}

  // Columns [first, last) of rows [begin, end).
  void run(int64_t begin, int64_t end, int64_t first, int64_t last) {
    for (; first < last; first += kMaxColumns) {
      run_columns(begin, end, first, std::min(first + kMaxColumns, last));
    }
    finish_.done();
  }

 private:
  static constexpr int64_t kSlots = SpmmStage<A>::kSlots;
  static constexpr int kMaxRows = 256;

  // What the tiles share: staged edges, the rows that end among them, and perhaps the first part of
  // one more. `end_slot_` has the slots at which the rows end.
  struct Span {
    typename SpmmStage<A>::Block block;
    int64_t row;
    int rows;
    int64_t slots;
    bool continued;       // the first row has edges in an earlier span
    bool open;            // the row after the last has edges in this span
    int64_t kept_before;  // of the first row, in earlier spans
  };

  void run_columns(int64_t row, int64_t row_end, int64_t first, int64_t last) {
    const int64_t end = csr_.begin(row_end);
    int64_t position = csr_.begin(row);
    Span span{};
    while (row < row_end) {
      const int64_t stop =
          take_rows(row, row_end, position, std::min((position / kSlots + 1) * kSlots, end), span);
      span.block = stage_.stage(position, stop);
      to_slots(position, stop, span);
      run_tiles(span, first, last);
      const int64_t closed = span.rows > 0 ? end_slot_[span.rows - 1] : 0;
      span.kept_before = (span.rows > 0 ? 0 : span.kept_before) + span.slots - closed;
      span.continued = span.open;
      row += span.rows;
      position = stop;
    }
  }

  // Takes the rows from `row` on that end at positions up to `limit`. Returns where the span stops.
  int64_t take_rows(int64_t row, int64_t row_end, int64_t position, int64_t limit, Span& span) {
    const int most = static_cast<int>(std::min<int64_t>(kMaxRows, row_end - row));
    int rows = 0;
    int64_t closed = position;
    for (; rows < most; ++rows) {
      const int64_t row_stop = csr_.begin(row + rows + 1);
      if (row_stop > limit) break;
      end_slot_[rows] = static_cast<int32_t>(row_stop - position);
      closed = row_stop;
    }
    span.row = row;
    span.rows = rows;
    span.open = rows < most && limit > closed;
    return rows < most ? limit : closed;
  }

  // Offsets of positions become slots of kept edges.
  void to_slots(int64_t position, int64_t stop, Span& span) {
    span.slots = stage_.slot(position, stop);
    if (!stage_.drops()) return;
    for (int r = 0; r < span.rows; ++r) {
      end_slot_[r] = static_cast<int32_t>(stage_.slot(position, position + end_slot_[r]));
    }
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
    const GatherTile<T, kTile, kPartial> tile{static_cast<const T*>(args_.x) + f, args_.x_stride,
                                              count - (kTile - 1) * lanes, prefetch_};
    vec_t<A> sum[kTile] = {};
    if (span.continued) {
      for (int v = 0; v < kTile; ++v) sum[v] = load(carry + v * lanes);
    }
    int64_t slot = 0;
    int64_t kept_before = span.kept_before;
    for (int r = 0; r < span.rows; ++r) {
      const int64_t end = end_slot_[r];
      tile.add_edges(span.block, slot, end, sum);
      finish_.template write_tile<T, kTile, kPartial>(
          span.row + r, f, count, row_factor(span.row + r, kept_before + end - slot), sum);
      for (int v = 0; v < kTile; ++v) sum[v] = vec_t<A>{};
      kept_before = 0;
      slot = end;
    }
    if (!span.open) return;
    tile.add_edges(span.block, slot, span.slots, sum);
    for (int v = 0; v < kTile; ++v) store(carry + v * lanes, sum[v]);
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
  SpmmStage<A> stage_;
  const CsrReader& csr_;
  SpmmFinish<A> finish_;
  int32_t end_slot_[kMaxRows];
  A carry_[kMaxColumns + kLanes<A>];  // sums of a row that goes on in the next block
};

}  // namespace sgnn::cpu::SGNN_ISA

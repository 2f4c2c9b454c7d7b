// The SpMM loop body over rows [begin, end), for one instruction set: edges are staged by blocks,
// and every tile of columns walks the rows of a block with its sums in registers.
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
  // What the tiles of a block share. The row at `row` may have begun in an earlier block.
  struct Span {
    typename SpmmStage<A>::Block block;
    int64_t row;
    int64_t row_end;
    int64_t begin;  // stored positions
    int64_t end;
    int64_t kept_before;  // of the first row, in earlier blocks
  };

  void run_columns(int64_t row, int64_t row_end, int64_t first, int64_t last) {
    constexpr int64_t kSlots = SpmmStage<A>::kSlots;
    const int64_t end = csr_.begin(row_end);
    int64_t position = csr_.begin(row);
    int64_t kept_before = 0;
    while (row < row_end) {
      const int64_t stop = std::min((position / kSlots + 1) * kSlots, end);
      const Span span{stage_.stage(position, stop), row, row_end, position, stop, kept_before};
      run_tiles(span, first, last);
      for (; row < row_end && csr_.begin(row + 1) <= stop; ++row) {
        kept_before = 0;
      }
      if (row < row_end) {
        const int64_t begin = std::max(csr_.begin(row), position);
        kept_before += stage_.slot(position, stop) - stage_.slot(position, begin);
      }
      position = stop;
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
    int64_t position = span.begin;
    int64_t begin = csr_.begin(span.row);
    for (int64_t row = span.row; row < span.row_end; ++row) {
      const int64_t row_stop = csr_.begin(row + 1);
      const int64_t stop = std::min(row_stop, span.end);
      vec_t<A> sum[kTile] = {};
      if (begin < span.begin) {
        for (int v = 0; v < kTile; ++v) sum[v] = load(carry + v * lanes);
      }
      const int64_t slot = stage_.slot(span.begin, position);
      const int64_t slot_end = stage_.slot(span.begin, stop);
      tile.add_edges(span.block, slot, slot_end, sum);
      if (row_stop > span.end) {
        for (int v = 0; v < kTile; ++v) store(carry + v * lanes, sum[v]);
        return;
      }
      const int64_t kept = slot_end - slot + (row == span.row ? span.kept_before : 0);
      finish_.template write_tile<T, kTile>(row, f, count, row_factor(row, kept), sum);
      begin = position = stop;
    }
  }

  // Factor applied to a finished row sum. A row without kept edges is zero even where its scale is
  // infinite, as D^-1/2 of an isolated node is.
  SGNN_INLINE A row_factor(int64_t row, int64_t kept) const {
    if (!args_.mean && row_scale_ == nullptr) return A(1);
    if (kept == 0) return A(0);
    const A scale = row_scale_ != nullptr ? row_scale_[row] : A(1);
    return args_.mean ? scale / static_cast<A>(kept) : scale;
  }

  const SpmmArgs& args_;
  const A* row_scale_;
  const bool prefetch_;
  SpmmStage<A> stage_;
  const CsrReader& csr_;
  SpmmFinish<A> finish_;
  A carry_[kMaxColumns + kLanes<A>];  // sums of a row that goes on in the next block
};

}  // namespace sgnn::cpu::SGNN_ISA

// Rows of a few edges, one vector wide, without a branch per row: where a row ends is as good as
// random, and a processor that guesses wrong loses the time of several edges. All edges of a span
// are walked in one loop; each leaves the state of its row so far in a buffer, where the row's last
// edge has the last word.
#pragma once

#include <cstring>

#include "lanes.h"
#include "row_spans.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class ShortRows {
 public:
  using Span = typename RowSpans<A>::Span;

  // Whether rows are short enough on average. A property of the whole graph: the order of a sum
  // must not depend on where a range of rows begins.
  // And results that a cache nearby holds: the rows of a span are written all at once.
  static bool pay(const CsrArg& csr, int64_t row_bytes) {
    return csr.nnz < kMeanEdges * csr.num_rows && csr.num_rows * row_bytes <= kNearBytes;
  }

  // The state of row r of the span; of the row that goes on after it at r = span.rows.
  vec_t<A> row(int64_t r) const { return load(buffer_ + r * kLanes<A>); }

  // Reduces all rows. Reduce: start() is the state without edges, step(state, coefficient, value)
  // that after one more. `first` is the state in which the span's first row begins.
  template <typename Tile, typename Reduce>
  SGNN_INLINE void run(const Span& span, const Tile& tile, vec_t<A> first, Reduce& reduce) {
    mark(span);
    for (int r = 1; r <= span.rows; ++r) store(buffer_ + r * kLanes<A>, reduce.start());
    store(buffer_, first);
    Walk<Reduce> walk{closed_, goes_on_, buffer_, first, reduce};
    tile.gather(span.block, 0, span.slots, walk);
    reduce = walk.reduce;
  }

 private:
  using LaneMask = typename LaneIndexOf<A>::scalar;

  static constexpr int64_t kMeanEdges = 8;
  static constexpr int64_t kNearBytes = 4 << 20;
  static constexpr int64_t kSlots = RowSpans<A>::kSlots;
  static constexpr int kMaxRows = RowSpans<A>::kMaxRows;

  template <typename Reduce>
  struct Walk {
    const uint32_t* closed;
    const LaneMask* goes_on;
    A* out;
    vec_t<A> state;
    Reduce reduce;

    template <int, typename Load>
    SGNN_INLINE void take(int64_t slot, vec_t<A> coefficient, const Load& load_vector) {
      out += closed[slot] * kLanes<A>;
      const lane_index_t<A> same_row = goes_on[slot] - lane_index_t<A>{};
      state = reduce.step(same_row ? state : reduce.start(), coefficient, load_vector(0));
      store(out, state);
    }
  };

  // How many rows end before each slot, and whether none does.
  void mark(const Span& span) {
    memset(closed_, 0, sizeof(uint32_t) * static_cast<size_t>(span.slots + 1));
    for (int r = 0; r < span.rows; ++r) ++closed_[span.end_slot[r]];
    for (int64_t s = 0; s < span.slots; ++s) {
      goes_on_[s] = closed_[s] == 0 ? LaneMask(-1) : LaneMask(0);
    }
  }

  alignas(64) uint32_t closed_[kSlots + 1];
  alignas(64) LaneMask goes_on_[kSlots];
  alignas(64) A buffer_[(kMaxRows + 1) * kLanes<A>];
};

}  // namespace sgnn::cpu::SGNN_ISA

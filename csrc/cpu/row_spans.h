// Cuts a range of rows into spans of staged edges, and finds once for all tiles where rows end.
#pragma once

#include "spmm_stage.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class RowSpans {
 public:
  static constexpr int64_t kSlots = SpmmStage<A>::kSlots;
  static constexpr int kMaxRows = 256;

  // Staged edges, the rows that end among them, and perhaps the first part of one more.
  struct Span {
    typename SpmmStage<A>::Block block;
    int64_t row;
    int rows;
    int64_t slots;
    const int32_t* end_slot;  // [rows]: where the rows end
    bool continued;           // the first row has edges in an earlier span
    bool open;                // the row after the last has edges in this span
    int64_t kept_before;      // edges of the first row in earlier spans
  };

  RowSpans(const CsrArg& csr, const EdgeFactors<A>& factors) : stage_(csr, factors) {}

  // Edge id of a slot of the span at hand.
  SGNN_INLINE int64_t id(int64_t slot) const { return stage_.id(slot); }

  // Calls body(Span) for rows [row, row_end) in order. Spans end at multiples of kSlots, so what a
  // row is cut into does not depend on where the range begins.
  template <typename Body>
  void for_each(int64_t row, int64_t row_end, const Body& body) {
    const int64_t end = csr().begin(row_end);
    int64_t position = csr().begin(row);
    Span span{};
    span.end_slot = end_slot_;
    while (row < row_end) {
      const int64_t next = (position / kSlots + 1) * kSlots;
      const int64_t stop = take_rows(row, row_end, position, next < end ? next : end, span);
      span.block = stage_.stage(position, stop);
      to_slots(position, stop, span);
      body(static_cast<const Span&>(span));
      const int64_t closed = span.rows > 0 ? end_slot_[span.rows - 1] : 0;
      span.kept_before = (span.rows > 0 ? 0 : span.kept_before) + span.slots - closed;
      span.continued = span.open;
      row += span.rows;
      position = stop;
    }
  }

 private:
  const CsrReader& csr() const { return stage_.csr(); }

  // Takes the rows from `row` on that end at positions up to `limit`. Returns where the span stops.
  int64_t take_rows(int64_t row, int64_t row_end, int64_t position, int64_t limit, Span& span) {
    const int most = static_cast<int>(row_end - row < kMaxRows ? row_end - row : kMaxRows);
    int rows = 0;
    int64_t closed = position;
    for (; rows < most; ++rows) {
      const int64_t row_stop = csr().begin(row + rows + 1);
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

  SpmmStage<A> stage_;
  int32_t end_slot_[kMaxRows];
};

}  // namespace sgnn::cpu::SGNN_ISA

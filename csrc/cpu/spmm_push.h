// SpMM from the side of the sources, for a y of few rows: a slice of the columns of y lies in a
// cache, and the rows of x, each read once and in order, are added to the rows of their targets.
#pragma once

#include "row_spans.h"
#include "scratch.h"
#include "sgnn/spmm.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SpmmPush {
 public:
  using A = acc_t<T>;

  SpmmPush(const SpmmArgs& args, const CsrArg& by_source)
      : args_(args),
        spans_(by_source, {static_cast<const A*>(args.weight), static_cast<const A*>(args.mask),
                           nullptr, args.bits}) {}

  // Columns [first, last), at most kVectors vectors of them.
  template <int kVectors>
  void run(int64_t first, int64_t last) {
    constexpr int64_t kColumns = kVectors * kLanes<A>;
    const int64_t rows = args_.csr.num_rows;
    Scratch<A> memory(rows * kColumns + kLine / static_cast<int64_t>(sizeof(A)));
    A* sums = aligned(memory.data());
    const auto count = static_cast<int>(last - first);
    spans_.for_each(0, args_.csr.num_cols, [&](const Span& span) {
      int64_t slot = 0;
      for (int r = 0; r < span.rows + (span.open ? 1 : 0); ++r) {
        const int64_t end = r < span.rows ? span.end_slot[r] : span.slots;
        push<kVectors>(span.block, slot, end, span.row + r, first, count, sums);
        slot = end;
      }
    });
    for (int64_t row = 0; row < rows; ++row) write(row, first, count, sums + row * kColumns);
  }

 private:
  using Span = typename RowSpans<A>::Span;
  using Block = typename SpmmStage<A>::Block;
  static constexpr int64_t kLine = 64;
  static constexpr int kLineColumns = kLine / static_cast<int>(sizeof(T));
  static constexpr int64_t kAhead = 8;  // rows of x

  static A* aligned(A* data) {
    return reinterpret_cast<A*>((reinterpret_cast<uintptr_t>(data) + kLine - 1) / kLine * kLine);
  }

  // Adds a row of x to the targets of slots [slot, end).
  template <int kVectors>
  SGNN_INLINE void push(const Block& block, int64_t slot, int64_t end, int64_t source,
                        int64_t first, int count, A* sums) const {
    constexpr int lanes = kLanes<A>;
    if (slot == end) return;
    const T* x = static_cast<const T*>(args_.x) + source * args_.x_stride + first;
    if (source + kAhead < args_.csr.num_cols) {
      __builtin_prefetch(x + kAhead * args_.x_stride, 0, 3);
      if (count > kLineColumns) {
        __builtin_prefetch(x + kAhead * args_.x_stride + kLineColumns, 0, 3);
      }
    }
    vec_t<A> value[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int left = count - v * lanes;
      value[v] = left >= lanes ? load(x + v * lanes)
                 : left > 0    ? load_partial<T>(x + v * lanes, left)
                               : vec_t<A>{};
    }
    for (; slot < end; ++slot) {
      A* target = sums + static_cast<int64_t>(block.col[slot]) * (kVectors * lanes);
      const vec_t<A> coefficient = splat(block.coefficient[slot]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        store(target + v * lanes, load(target + v * lanes) + coefficient * value[v]);
      }
    }
  }

  void write(int64_t row, int64_t first, int count, const A* sums) const {
    T* y = static_cast<T*>(args_.y) + row * args_.width + first;
    for (int k = 0; k < count; k += kLanes<A>) {
      store_first(y + k, load(sums + k), count - k < kLanes<A> ? count - k : kLanes<A>);
    }
  }

  const SpmmArgs& args_;
  RowSpans<A> spans_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The loop body of the gradients of max and min aggregation over rows [begin, end) of the
// transpose, for one instruction set: g and arg are gathered together.
#pragma once

#include <algorithm>

#include "edge_block.h"
#include "lanes.h"
#include "row_tile.h"
#include "scratch.h"
#include "sgnn/spmm_extreme.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SpmmExtremeGradRows {
 public:
  using A = acc_t<T>;

  explicit SpmmExtremeGradRows(const SpmmExtremeGradArgs& args)
      : args_(args),
        csr_(args.csr),
        edges_(csr_, {static_cast<const A*>(args.weight), static_cast<const A*>(args.mask), nullptr,
                      nullptr}),
        carry_(args.width + kLanes<A>) {}

  void run(int64_t row, int64_t row_end) {
    const int64_t end = csr_.begin(row_end);
    int64_t position = csr_.begin(row);
    while (row < row_end) {
      const int64_t stop = std::min<int64_t>(position + EdgeBlock<A>::kSize, end);
      if (position < stop) edges_.load(position, stop);
      for (A& dot : dot_) dot = A(0);
      const Span span{row, row_end, position, stop};
      for_each_tile<kMaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
        using Shape = decltype(shape);
        run_rows<Shape::kTile, Shape::kPartial>(span, f, count);
      });
      A* d_edge = static_cast<A*>(args_.d_edge);
      for (int k = 0; k < static_cast<int>(stop - position); ++k) d_edge[edges_.id(k)] = dot_[k];
      while (row < row_end && csr_.begin(row + 1) <= stop) ++row;
      position = stop;
    }
  }

 private:
  static constexpr int kMaxTile = 4;

  struct Span {
    int64_t row;
    int64_t row_end;
    int64_t begin;  // stored positions
    int64_t end;
  };

  // A tile of one source: its features, and the sum over its edges.
  template <int kTile>
  struct Source {
    vec_t<A> x[kTile];
    vec_t<A> sum[kTile];
  };

  template <int kTile, bool kPartial>
  void run_rows(const Span& span, int64_t f, int count) {
    int64_t position = span.begin;
    bool goes_on = csr_.begin(span.row) < span.begin;
    for (int64_t row = span.row; row < span.row_end; ++row, goes_on = false) {
      const int64_t row_stop = csr_.begin(row + 1);
      const int64_t stop = std::min(row_stop, span.end);
      Source<kTile> source;
      const T* x = static_cast<const T*>(args_.x) + row * args_.x_stride + f;
      A* carry = carry_.data() + f;
#pragma GCC unroll 4
      for (int v = 0; v < kTile; ++v) {
        source.x[v] = load_tile<kTile, kPartial>(x, v, count);
        source.sum[v] = goes_on ? load(carry + v * kLanes<A>) : vec_t<A>{};
      }
      take_edges<kTile, kPartial>(position - span.begin, stop - span.begin, f, count, source);
      if (row_stop > span.end) {
        for (int v = 0; v < kTile; ++v) store(carry + v * kLanes<A>, source.sum[v]);
        return;
      }
      T* dx = static_cast<T*>(args_.dx) + row * args_.width + f;
#pragma GCC unroll 4
      for (int v = 0; v < kTile; ++v) store_tile<kTile, kPartial>(dx, v, count, source.sum[v]);
      position = stop;
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void take_edges(int64_t begin, int64_t end, int64_t f, int count,
                              Source<kTile>& source) {
    if (args_.csr.index_type == IndexType::kInt32) {
      return take_named<kTile, kPartial, int32_t>(begin, end, f, count, source);
    }
    take_named<kTile, kPartial, int64_t>(begin, end, f, count, source);
  }

  template <int kTile, bool kPartial, typename Index>
  SGNN_INLINE void take_named(int64_t begin, int64_t end, int64_t f, int count,
                              Source<kTile>& source) {
    constexpr int kDistance = prefetch_distance<2 * kTile, T>();
    static_assert(kDistance <= EdgeBlock<A>::kAhead, "columns are known that far");
    const T* g = static_cast<const T*>(args_.g) + f;
    const Index* arg = static_cast<const Index*>(args_.arg) + f;
    for (int slot = static_cast<int>(begin); slot < end; ++slot) {
      const int64_t later = edges_.col(slot + kDistance);
      prefetch_tile<kTile>(g + later * args_.g_stride);
      prefetch_tile<kTile>(reinterpret_cast<const A*>(arg + later * args_.width));
      const T* from = g + edges_.col(slot) * args_.g_stride;
      const Index* names = arg + edges_.col(slot) * args_.width;
      const auto id = static_cast<Index>(edges_.id(slot));
      const vec_t<A> coefficient = splat(edges_.coefficient(slot));
      vec_t<A> dot{};
#pragma GCC unroll 4
      for (int v = 0; v < kTile; ++v) {
        const int lanes = kPartial ? count : kLanes<A>;
        const lane_index_t<A> named = names_edge<kPartial>(names + v * kLanes<A>, id, lanes);
        const vec_t<A> value = load_tile<kTile, kPartial>(from, v, count);
        // By selection: a feature that is infinite elsewhere must not meet a zero.
        source.sum[v] += named ? coefficient * value : vec_t<A>{};
        dot += named ? source.x[v] * value : vec_t<A>{};
      }
      dot_[slot] += horizontal_sum<A>(dot);
    }
  }

  // Which of the columns the edge `id` gave.
  template <bool kPartial, typename Index>
  static SGNN_INLINE lane_index_t<A> names_edge(const Index* names, Index id, int lanes) {
    using Scalar = typename LaneIndexOf<A>::scalar;
    if constexpr (!kPartial && sizeof(Index) == sizeof(Scalar)) {
      return *reinterpret_cast<const lane_index_t<A>*>(names) == id - lane_index_t<A>{};
    } else {
      lane_index_t<A> named{};
      for (int lane = 0; lane < lanes; ++lane)
        named[lane] = names[lane] == id ? Scalar(-1) : Scalar(0);
      return named;
    }
  }

  const SpmmExtremeGradArgs& args_;
  const CsrReader csr_;
  EdgeBlock<A> edges_;
  Scratch<A> carry_;
  A dot_[EdgeBlock<A>::kSize];
};

}  // namespace sgnn::cpu::SGNN_ISA

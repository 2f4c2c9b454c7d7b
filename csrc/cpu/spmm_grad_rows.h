// The loop body of SpMM's gradients over rows [begin, end) of the transpose, for one instruction
// set: a row of g is loaded once, for the sum of its source and for the dot product of its edge.
#pragma once

#include "edge_block.h"
#include "row_tile.h"
#include "sgnn/spmm_grad.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SpmmGradRows {
 public:
  using A = acc_t<T>;

  explicit SpmmGradRows(const SpmmGradArgs& args)
      : args_(args),
        csr_(args.csr),
        factors_{static_cast<const A*>(args.weight), static_cast<const A*>(args.mask),
                 static_cast<const A*>(args.target_scale), args.bits},
        g_(static_cast<const T*>(args.g)),
        x_(static_cast<const T*>(args.x)),
        dx_(static_cast<T*>(args.dx)),
        d_edge_(static_cast<A*>(args.d_edge)),
        source_scale_(static_cast<const A*>(args.source_scale)) {}

  void run(int64_t begin, int64_t end) const {
    if (args_.bits != nullptr || args_.width == 0) clear_edges(csr_, begin, end, d_edge_);
    for_each_tile<kMaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
      using Shape = decltype(shape);
      run_tile<Shape::kTile, Shape::kPartial>(begin, end, f, count);
    });
  }

 private:
  static constexpr int kMaxTile = kVectorBytes == 64 ? 16 : 8;  // sums that fit the registers
  using Block = EdgeBlock<A>;
  using Dots = BlockDots<A>;

  // A tile of one source: its features, and the sum over its edges.
  template <int kTile>
  struct Source {
    vec_t<A> x[kTile];
    vec_t<A> sum[kTile];
    bool has_edges;
  };

  bool scaled() const { return source_scale_ != nullptr || args_.target_scale != nullptr; }

  template <int kTile, bool kPartial>
  void run_tile(int64_t begin, int64_t end, int64_t f, int count) const {
    Block block(csr_, factors_);
    Dots dots;
    int64_t position = csr_.begin(begin);
    const int64_t stop = csr_.begin(end);
    if (position < stop) block.load(position, stop);
    for (int64_t row = begin; row < end; ++row) {
      Source<kTile> source;
      start<kTile, kPartial>(row, f, count, source);
      const int64_t last = csr_.begin(row + 1);
      while (position < last) {
        const int64_t piece = last < block.end() ? last : block.end();
        const int from = block.slot(position);
        const int to = block.slot(piece);
        run_edges<kTile, kPartial>(block, from, to, f, count, source, dots);
        if (scaled()) set_factors(block, from, to, row, dots);
        position = piece;
        if (position < block.end()) continue;
        dots.write(block, f == 0, scaled() && f + count == args_.width, d_edge_);
        if (position < stop) block.load(position, stop);
      }
      finish<kTile, kPartial>(row, f, count, source);
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void start(int64_t row, int64_t f, int count, Source<kTile>& source) const {
    const T* x = x_ + row * args_.x_stride + f;
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
      source.x[v] = load_tile<kTile, kPartial>(x, v, count);
      source.sum[v] = vec_t<A>{};
    }
    source.has_edges = false;
  }

  // A source without kept edges is zero even where its scale is infinite.
  template <int kTile, bool kPartial>
  SGNN_INLINE void finish(int64_t row, int64_t f, int count, const Source<kTile>& source) const {
    A scale = source_scale_ != nullptr ? source_scale_[row] : A(1);
    if (!source.has_edges) scale = A(0);
    T* dx = dx_ + row * args_.width + f;
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
      store_tile<kTile, kPartial>(dx, v, count, source.sum[v] * splat(scale));
    }
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void run_edges(const Block& block, int begin, int end, int64_t f, int count,
                             Source<kTile>& source, Dots& dots) const {
    if (begin == end) return;
    source.has_edges = true;
    int slot = begin;
    for (; slot + 4 <= end; slot += 4) {
      vec_t<A> dot[4] = {};
      add_edges<kTile, kPartial, 4>(block, slot, f, count, source, dot);
      dots.put4(slot, dot);
    }
    if (slot == end) return;
    vec_t<A> dot[4] = {};
    for (int k = 0; slot + k < end; ++k) {
      add_edges<kTile, kPartial, 1>(block, slot + k, f, count, source, dot + k);
    }
    dots.put4(slot, dot);
  }

  template <int kTile, bool kPartial, int kEdges>
  SGNN_INLINE void add_edges(const Block& block, int slot, int64_t f, int count,
                             Source<kTile>& source, vec_t<A>* dot) const {
    constexpr int kDistance = prefetch_distance<kTile, T>();
    const T* g[kEdges];
#pragma GCC unroll 4
    for (int k = 0; k < kEdges; ++k) {
      prefetch_tile<kTile>(g_ + block.col(slot + k + kDistance) * args_.g_stride + f);
      g[k] = g_ + block.col(slot + k) * args_.g_stride + f;
    }
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
#pragma GCC unroll 4
      for (int k = 0; k < kEdges; ++k) {
        const vec_t<A> value = load_tile<kTile, kPartial>(g[k], v, count);
        source.sum[v] += splat(block.coefficient(slot + k)) * value;
        dot[k] += source.x[v] * value;
      }
    }
  }

  SGNN_INLINE void set_factors(const Block& block, int begin, int end, int64_t row,
                               Dots& dots) const {
    const A scale = source_scale_ != nullptr ? source_scale_[row] : A(1);
    for (int slot = begin; slot < end; ++slot) {
      dots.set_factor(
          slot, factors_.column != nullptr ? scale * factors_.column[block.col(slot)] : scale);
    }
  }

  const SpmmGradArgs& args_;
  const CsrReader csr_;
  const EdgeFactors<A> factors_;
  const T* g_;
  const T* x_;
  T* dx_;
  A* d_edge_;
  const A* source_scale_;
};

}  // namespace sgnn::cpu::SGNN_ISA

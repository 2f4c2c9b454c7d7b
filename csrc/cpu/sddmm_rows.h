// The SDDMM loop body over rows [begin, end), for one instruction set: a tile of the row of `a`
// stays in registers while the rows of `b` are gathered.
#pragma once

#include "edge_block.h"
#include "row_tile.h"
#include "sgnn/sddmm.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T>
class SddmmRows {
 public:
  using A = acc_t<T>;

  explicit SddmmRows(const SddmmArgs& args)
      : args_(args),
        csr_(args.csr),
        a_(static_cast<const T*>(args.a)),
        b_(static_cast<const T*>(args.b)),
        out_(static_cast<A*>(args.out)),
        factors_{static_cast<const A*>(args.coef), nullptr, static_cast<const A*>(args.col_scale),
                 args.bits},
        row_scale_(static_cast<const A*>(args.row_scale)) {}

  void run(int64_t begin, int64_t end) const {
    if (args_.bits != nullptr || args_.width == 0) clear_edges(csr_, begin, end, out_);
    for_each_tile<kMaxTile, A>(0, args_.width, [&](auto shape, int64_t f, int count) {
      using Shape = decltype(shape);
      run_tile<Shape::kTile, Shape::kPartial>(begin, end, f, count);
    });
  }

 private:
  static constexpr int kMaxTile = 16;
  using Block = EdgeBlock<A>;
  using Dots = BlockDots<A>;

  bool scaled() const { return factors_.any() || row_scale_ != nullptr; }

  template <int kTile, bool kPartial>
  void run_tile(int64_t begin, int64_t end, int64_t f, int count) const {
    Block block(csr_, factors_);
    Dots dots;
    int64_t position = csr_.begin(begin);
    const int64_t stop = csr_.begin(end);
    if (position < stop) block.load(position, stop);
    for (int64_t row = begin; row < end; ++row) {
      vec_t<A> left[kTile];
      const T* source = a_ + row * args_.a_stride + f;
#pragma GCC unroll 16
      for (int v = 0; v < kTile; ++v) left[v] = load_tile<kTile, kPartial>(source, v, count);
      const int64_t last = csr_.begin(row + 1);
      while (position < last) {
        const int64_t piece = last < block.end() ? last : block.end();
        run_edges<kTile, kPartial>(block, block.slot(position), block.slot(piece), f, count, left,
                                   dots);
        if (scaled()) set_factors(block, block.slot(position), block.slot(piece), row, dots);
        position = piece;
        if (position < block.end()) continue;
        dots.write(block, f == 0, scaled() && f + count == args_.width, out_);
        if (position < stop) block.load(position, stop);
      }
    }
  }

  // Four edges at a time share the loads of `left`; the rest of the row is reduced together.
  template <int kTile, bool kPartial>
  SGNN_INLINE void run_edges(const Block& block, int begin, int end, int64_t f, int count,
                             const vec_t<A>* left, Dots& dots) const {
    int slot = begin;
    for (; slot + 4 <= end; slot += 4) {
      vec_t<A> sum[4] = {};
      multiply<kTile, kPartial, 4>(block, slot, f, count, left, sum);
      dots.put4(slot, sum);
    }
    if (slot == end) return;
    vec_t<A> sum[4] = {};
    for (int k = 0; slot + k < end; ++k) {
      multiply<kTile, kPartial, 1>(block, slot + k, f, count, left, sum + k);
    }
    dots.put4(slot, sum);
  }

  template <int kTile, bool kPartial, int kEdges>
  SGNN_INLINE void multiply(const Block& block, int slot, int64_t f, int count,
                            const vec_t<A>* left, vec_t<A>* sum) const {
    constexpr int kDistance = prefetch_distance<kTile, T>();
    const T* right[kEdges];
#pragma GCC unroll 4
    for (int k = 0; k < kEdges; ++k) {
      prefetch_tile<kTile>(b_ + block.col(slot + k + kDistance) * args_.b_stride + f);
      right[k] = b_ + block.col(slot + k) * args_.b_stride + f;
    }
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
#pragma GCC unroll 4
      for (int k = 0; k < kEdges; ++k) {
        sum[k] += left[v] * load_tile<kTile, kPartial>(right[k], v, count);
      }
    }
  }

  SGNN_INLINE void set_factors(const Block& block, int begin, int end, int64_t row,
                               Dots& dots) const {
    const A scale = row_scale_ != nullptr ? row_scale_[row] : A(1);
    for (int slot = begin; slot < end; ++slot) {
      dots.set_factor(slot, scale * block.coefficient(slot));
    }
  }

  const SddmmArgs& args_;
  const CsrReader csr_;
  const T* a_;
  const T* b_;
  A* out_;
  const EdgeFactors<A> factors_;
  const A* row_scale_;
};

}  // namespace sgnn::cpu::SGNN_ISA

// The SpMM loop body over rows [begin, end), for one instruction set: a row keeps up to kMaxTile
// vectors of accumulators in registers and walks its edges once per tile.
#pragma once

#include "sgnn/bitmask.h"
#include "sgnn/spmm.h"
#include "simd.h"
#include "spmm_finish.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int64_t kPrefetchDistance = 12;              // edges ahead
constexpr int kMaxTile = kVectorBytes == 64 ? 16 : 8;  // half of the registers hold accumulators

enum class EdgeValues { kUnit, kWeight, kGeneral };

template <typename T>
struct SpmmPointers {
  using A = acc_t<T>;
  const T* x;
  T* y;
  const A* weight;
  const A* mask;
  const uint8_t* bits;
  const A* row_scale;
  const A* col_scale;
  const A* bias;

  explicit SpmmPointers(const SpmmArgs& args)
      : x(static_cast<const T*>(args.x)),
        y(static_cast<T*>(args.y)),
        weight(static_cast<const A*>(args.weight)),
        mask(static_cast<const A*>(args.mask)),
        bits(args.bits),
        row_scale(static_cast<const A*>(args.row_scale)),
        col_scale(static_cast<const A*>(args.col_scale)),
        bias(static_cast<const A*>(args.bias)) {}
};

template <typename T, typename Index, EdgeValues kValues>
class SpmmRows {
 public:
  using A = acc_t<T>;

  explicit SpmmRows(const SpmmArgs& args)
      : args_(args),
        csr_(view_csr<Index>(args.csr)),
        p_(args),
        finish_(args),
        needs_finish_(SpmmFinish<A>::needed(args)) {}

  // Columns [first, last) of rows [begin, end).
  void run(int64_t begin, int64_t end, int64_t first, int64_t last) {
    for (int64_t row = begin; row < end; ++row) run_row(row, first, last);
  }

 private:
  int64_t count_kept(int64_t begin, int64_t end) const {
    if (kValues != EdgeValues::kGeneral || p_.bits == nullptr) return end - begin;
    int64_t kept = 0;
    for (int64_t e = begin; e < end; ++e) kept += test_bit(p_.bits, csr_.value_index(e)) ? 1 : 0;
    return kept;
  }

  // Factor applied to a finished row sum. A row without kept edges is zero even where its scale is
  // infinite, as D^-1/2 of an isolated node is.
  A row_factor(int64_t row, int64_t begin, int64_t end) const {
    if (!args_.mean && p_.row_scale == nullptr) return A(1);
    const int64_t kept = count_kept(begin, end);
    if (kept == 0) return A(0);
    const A scale = p_.row_scale != nullptr ? p_.row_scale[row] : A(1);
    return args_.mean ? scale / static_cast<A>(kept) : scale;
  }

  void run_row(int64_t row, int64_t first, int64_t last) {
    const int64_t begin = static_cast<int64_t>(csr_.rowptr[row]);
    const int64_t end = static_cast<int64_t>(csr_.rowptr[row + 1]);
    const A factor = row_factor(row, begin, end);
    constexpr int64_t lanes = kLanes<A>;
    int64_t f = first;
    for (; f + kMaxTile * lanes <= last; f += kMaxTile * lanes) {
      run_tile<kMaxTile>(row, begin, end, f, factor);
    }
    if constexpr (kMaxTile > 8) f = run_tiles_of<8>(row, begin, end, f, last, factor);
    f = run_tiles_of<4>(row, begin, end, f, last, factor);
    f = run_tiles_of<2>(row, begin, end, f, last, factor);
    f = run_tiles_of<1>(row, begin, end, f, last, factor);
    if (f < last) run_tile<1, true>(row, begin, end, f, factor, static_cast<int>(last - f));
  }

  template <int kTile>
  SGNN_INLINE int64_t run_tiles_of(int64_t row, int64_t begin, int64_t end, int64_t f, int64_t last,
                                   A factor) {
    if (f + kTile * kLanes<A> > last) return f;
    run_tile<kTile>(row, begin, end, f, factor);
    return f + kTile * kLanes<A>;
  }

  // Coefficient of stored position e; false when the edge is dropped.
  SGNN_INLINE bool coefficient(int64_t e, int64_t column, A* out) const {
    if constexpr (kValues == EdgeValues::kWeight) {
      *out = p_.weight[e];
      return true;
    }
    const int64_t id = csr_.value_index(e);
    if (p_.bits != nullptr && !test_bit(p_.bits, id)) return false;
    A value = p_.weight != nullptr ? p_.weight[id] : A(1);
    if (p_.mask != nullptr) value *= p_.mask[id];
    if (p_.col_scale != nullptr) value *= p_.col_scale[column];
    *out = value;
    return true;
  }

  // Column of stored position e; asks for the row that a later position will gather. One function:
  // GCC takes a function that only prefetches for one without effects and drops its calls.
  template <int kTile>
  SGNN_INLINE int64_t column_with_prefetch(int64_t e, int64_t f) const {
    const int64_t ahead = e + kPrefetchDistance;
    if (ahead < csr_.nnz) {
      const T* row = p_.x + static_cast<int64_t>(csr_.col[ahead]) * args_.x_stride + f;
      constexpr int kLine = 64 / static_cast<int>(sizeof(T));
#pragma GCC unroll 16
      for (int i = 0; i < kTile * kLanes<A>; i += kLine) __builtin_prefetch(row + i, 0, 3);
    }
    return static_cast<int64_t>(csr_.col[e]);
  }

  // kTile whole vectors, or one of `count` elements.
  template <int kTile, bool kPartial, typename U>
  static SGNN_INLINE vec_t<A> load_tile(const U* source, int v, int count) {
    if constexpr (kPartial) return load_partial<U>(source, count);
    return load(source + v * kLanes<A>);
  }

  template <int kTile, bool kPartial>
  SGNN_INLINE void add_edge(int64_t e, int64_t f, int count, vec_t<A>* sum) const {
    const int64_t column = column_with_prefetch<kTile>(e, f);
    const T* source = p_.x + column * args_.x_stride + f;
    if constexpr (kValues == EdgeValues::kUnit) {
#pragma GCC unroll 16
      for (int v = 0; v < kTile; ++v) sum[v] += load_tile<kTile, kPartial>(source, v, count);
    } else {
      A value;
      if (!coefficient(e, column, &value)) return;
      const vec_t<A> broadcast = splat(value);
#pragma GCC unroll 16
      for (int v = 0; v < kTile; ++v) {
        sum[v] += broadcast * load_tile<kTile, kPartial>(source, v, count);
      }
    }
  }

  template <int kTile, bool kPartial = false>
  SGNN_INLINE void run_tile(int64_t row, int64_t begin, int64_t end, int64_t f, A factor,
                            int count = kTile * kLanes<A>) {
    vec_t<A> sum[kTile] = {};
    for (int64_t e = begin; e < end; ++e) add_edge<kTile, kPartial>(e, f, count, sum);
    if (needs_finish_) {
      A sums[kTile * kLanes<A>];
      for (int v = 0; v < kTile; ++v) store(sums + v * kLanes<A>, sum[v]);
      return finish_.write(row, f, count, factor, sums);
    }
    T* target = p_.y + row * args_.width + f;
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
      vec_t<A> out = sum[v] * splat(factor);
      if (p_.bias != nullptr) out += load_tile<kTile, kPartial>(p_.bias + f, v, count);
      if (args_.relu) out = relu_vec(out);
      if constexpr (kPartial) {
        store_partial<T>(target, out, count);
      } else {
        store(target + v * kLanes<A>, out);
      }
    }
  }

  const SpmmArgs& args_;
  const CsrView<Index> csr_;
  const SpmmPointers<T> p_;
  SpmmFinish<A> finish_;
  const bool needs_finish_;
};

}  // namespace sgnn::cpu::SGNN_ISA

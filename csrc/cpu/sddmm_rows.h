// The SDDMM loop body over rows [begin, end), for one instruction set: the row of `a` stays in
// cache while the rows of `b` are gathered.
#pragma once

#include "sgnn/bitmask.h"
#include "sgnn/sddmm.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, typename Index>
class SddmmRows {
 public:
  using A = acc_t<T>;

  explicit SddmmRows(const SddmmArgs& args)
      : args_(args),
        csr_(view_csr<Index>(args.csr)),
        a_(static_cast<const T*>(args.a)),
        b_(static_cast<const T*>(args.b)),
        out_(static_cast<A*>(args.out)),
        coef_(static_cast<const A*>(args.coef)),
        row_scale_(static_cast<const A*>(args.row_scale)),
        col_scale_(static_cast<const A*>(args.col_scale)) {}

  void run(int64_t begin, int64_t end) const {
    for (int64_t row = begin; row < end; ++row) {
      const T* left = a_ + row * args_.a_stride;
      const A scale = row_scale_ != nullptr ? row_scale_[row] : A(1);
      const int64_t last = static_cast<int64_t>(csr_.rowptr[row + 1]);
      for (int64_t e = static_cast<int64_t>(csr_.rowptr[row]); e < last; ++e) {
        run_edge(e, left, scale);
      }
    }
  }

 private:
  static constexpr int64_t kDistance = 6;       // edges ahead
  static constexpr int64_t kMaxPrefetch = 256;  // elements of one row

  // Column of stored position e; asks for the row that a later position will gather. One function:
  // GCC takes a function that only prefetches for one without effects and drops its calls.
  SGNN_INLINE int64_t column_with_prefetch(int64_t e) const {
    const int64_t ahead = e + kDistance;
    if (ahead < csr_.nnz) {
      const T* row = b_ + static_cast<int64_t>(csr_.col[ahead]) * args_.b_stride;
      constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
      const int64_t count = args_.width < kMaxPrefetch ? args_.width : kMaxPrefetch;
      for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(row + i, 0, 3);
    }
    return static_cast<int64_t>(csr_.col[e]);
  }

  SGNN_INLINE void run_edge(int64_t e, const T* left, A scale) const {
    const int64_t column = column_with_prefetch(e);
    const int64_t id = csr_.value_index(e);
    if (args_.bits != nullptr && !test_bit(args_.bits, id)) {
      out_[id] = A(0);
      return;
    }
    A factor = scale;
    if (coef_ != nullptr) factor *= coef_[id];
    if (col_scale_ != nullptr) factor *= col_scale_[column];
    out_[id] = factor * dot(left, b_ + column * args_.b_stride);
  }

  // Four partial sums hide the latency of the additions.
  SGNN_INLINE A dot(const T* left, const T* right) const {
    constexpr int64_t lanes = kLanes<A>;
    const int64_t width = args_.width;
    vec_t<A> sum[4] = {};
    int64_t f = 0;
    for (; f + 4 * lanes <= width; f += 4 * lanes) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v)
        sum[v] += load(left + f + v * lanes) * load(right + f + v * lanes);
    }
    for (; f + lanes <= width; f += lanes) sum[0] += load(left + f) * load(right + f);
    if (f < width) {
      const int count = static_cast<int>(width - f);
      sum[1] += load_partial<T>(left + f, count) * load_partial<T>(right + f, count);
    }
    return horizontal_sum<A>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  }

  const SddmmArgs& args_;
  const CsrView<Index> csr_;
  const T* a_;
  const T* b_;
  A* out_;
  const A* coef_;
  const A* row_scale_;
  const A* col_scale_;
};

}  // namespace sgnn::cpu::SGNN_ISA

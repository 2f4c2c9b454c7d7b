// Products with sparse rows over rows [begin, end), for one instruction set. A dense row of
// accumulators stays in L1 while the few entries of many sparse rows are added to it.
#pragma once

#include "edge_block.h"
#include "panel.h"
#include "sgnn/dispatch.h"
#include "sgnn/rows_spmm.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, typename Id>
class RowsSpmm {
 public:
  using A = acc_t<T>;

  explicit RowsSpmm(const RowsSpmmArgs& args)
      : args_(args),
        csr_(args.csr),
        x_(view_rows<Id>(args.x)),
        values_(static_cast<const T*>(args.x.values)),
        row_scale_(static_cast<const A*>(args.row_scale)),
        width_(args.x.num_cols),
        row_(allocate<A>(width_)) {}

  // y of rows [begin, end).
  void multiply(int64_t begin, int64_t end) {
    Block block(csr_, factors(args_.weight));
    for (int64_t i = begin; i < end; ++i) {
      clear(i);
      for_each_edge(block, i, [&](int n) { add_row(block.coefficient(n), block.col(n)); });
      write(row_scale_ == nullptr ? A(1) : row_scale_[i], i);
    }
  }

  // `edges`, and the share of `values`, of rows [begin, end).
  void differentiate(int64_t begin, int64_t end) {
    Block block(csr_, factors(nullptr));
    const A* weight = static_cast<const A*>(args_.weight);
    A* edges = static_cast<A*>(args_.edges);
    A* sums = static_cast<A*>(args_.values);
    for (int64_t i = begin; i < end; ++i) {
      read(i);
      const A scale = row_scale_ == nullptr ? A(1) : row_scale_[i];
      for_each_edge(block, i, [&](int n) {
        const int64_t first = x_.begin(block.col(n));
        const int64_t last = x_.end(block.col(n));
        const A factor = scale * block.coefficient(n);
        const int64_t id = block.id(n);
        if (edges != nullptr) edges[id] = factor * dot(first, last);
        if (sums != nullptr) {
          pick(weight == nullptr ? factor : factor * weight[id], first, last, sums);
        }
      });
    }
  }

 private:
  using Block = EdgeBlock<A>;

  EdgeFactors<A> factors(const void* weight) const {
    return {static_cast<const A*>(weight), nullptr, static_cast<const A*>(args_.col_scale),
            args_.bits};
  }

  // Calls use(slot) for the kept edges of a row.
  template <typename Use>
  SGNN_INLINE void for_each_edge(Block& block, int64_t row, const Use& use) {
    const int64_t end = csr_.begin(row + 1);
    for (int64_t first = csr_.begin(row); first < end; first = block.end()) {
      block.load(first, end);
      for (int n = 0; n < block.count(); ++n) {
        prefetch_row(block.col(n + Block::kAhead));
        use(n);
      }
    }
  }

  // The fixed form only: the place of a CSR row is itself a gather.
  SGNN_INLINE void prefetch_row(int64_t row) const {
    if (x_.rowptr != nullptr) return;
    const char* values = reinterpret_cast<const char*>(values_ + row * x_.k);
    const int64_t bytes = x_.k * static_cast<int64_t>(sizeof(T));
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(values + b, 0, 3);
    __builtin_prefetch(x_.ids + row * x_.k, 0, 3);
  }

  bool sparse() const { return args_.pattern.rowptr != nullptr; }

  // Calls use(p, column) for the entries p of a row of the pattern.
  template <typename Use>
  SGNN_INLINE void for_each_place(int64_t row, const Use& use) const {
    dispatch_index(args_.pattern.index_type, [&](auto index) {
      const auto pattern = view_csr<typename decltype(index)::type>(args_.pattern);
      const int64_t last = pattern.rowptr[row + 1];
      for (int64_t p = pattern.rowptr[row]; p < last; ++p) use(p, pattern.col[p]);
    });
  }

  SGNN_INLINE void clear(int64_t row) {
    if (sparse()) return for_each_place(row, [&](int64_t, int64_t f) { row_[f] = A(0); });
    for (int64_t f = 0; f < width_; ++f) row_[f] = A(0);
  }

  SGNN_INLINE void add_row(A coefficient, int64_t row) {
    const int64_t last = x_.end(row);
    A* sum = row_.get();
#pragma GCC unroll 4
    for (int64_t p = x_.begin(row); p < last; ++p) {
      sum[x_.ids[p]] += coefficient * to_acc(values_[p]);
    }
  }

  SGNN_INLINE void write(A scale, int64_t row) {
    if (sparse()) {
      T* y = static_cast<T*>(args_.y);
      return for_each_place(row,
                            [&](int64_t p, int64_t f) { y[p] = from_acc<T>(row_[f] * scale); });
    }
    T* y = static_cast<T*>(args_.y) + row * width_;
    int64_t f = 0;
    for (; f + kLanes<A> <= width_; f += kLanes<A>) {
      store(y + f, load(row_.get() + f) * splat(scale));
    }
    for (; f < width_; ++f) y[f] = from_acc<T>(row_[f] * scale);
  }

  SGNN_INLINE void read(int64_t row) {
    if (sparse()) {
      const T* g = static_cast<const T*>(args_.g);
      return for_each_place(row, [&](int64_t p, int64_t f) { row_[f] = to_acc(g[p]); });
    }
    const T* g = static_cast<const T*>(args_.g) + row * args_.g_stride;
    int64_t f = 0;
    for (; f + kLanes<A> <= width_; f += kLanes<A>) store(row_.get() + f, load(g + f));
    for (; f < width_; ++f) row_[f] = to_acc(g[f]);
  }

  SGNN_INLINE A dot(int64_t first, int64_t last) const {
    A sum[4] = {};
    int64_t p = first;
    for (; p + 4 <= last; p += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) sum[i] += to_acc(values_[p + i]) * row_[x_.ids[p + i]];
    }
    for (; p < last; ++p) sum[0] += to_acc(values_[p]) * row_[x_.ids[p]];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  SGNN_INLINE void pick(A factor, int64_t first, int64_t last, A* sums) const {
    for (int64_t p = first; p < last; ++p) sums[p] += factor * row_[x_.ids[p]];
  }

  const RowsSpmmArgs& args_;
  const CsrReader csr_;
  const RowsView<Id> x_;
  const T* const values_;
  const A* const row_scale_;
  const int64_t width_;
  const Buffer<A> row_;  // [F]: sums of y, or a row of g; in use only at the pattern, if any
};

}  // namespace sgnn::cpu::SGNN_ISA

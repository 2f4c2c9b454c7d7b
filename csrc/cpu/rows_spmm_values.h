// The derivative of rows_spmm in the values of X: row j of X gathers its columns from the rows of g
// at the other ends of its edges.
#pragma once

#include "edge_block.h"
#include "panel.h"
#include "sgnn/rows_spmm.h"

namespace sgnn::cpu::SGNN_ISA {

// Here args.csr is the transpose: its rows are those of X and its columns those of g.
template <typename T, typename Id>
class RowsSpmmValues {
 public:
  using A = acc_t<T>;

  explicit RowsSpmmValues(const RowsSpmmArgs& args)
      : args_(args),
        csr_(args.csr),
        x_(view_rows<Id>(args.x)),
        g_(static_cast<const T*>(args.g)),
        row_scale_(static_cast<const A*>(args.row_scale)) {}

  void run(int64_t begin, int64_t end) {
    Block block(csr_, {static_cast<const A*>(args_.weight), nullptr,
                       static_cast<const A*>(args_.col_scale), args_.bits});
    for (int64_t j = begin; j < end; ++j) {
      const int64_t first = x_.begin(j);
      const int64_t last = x_.end(j);
      for (int64_t p = first; p < last; p += kChunk) {
        run_chunk(block, j, p, last - p < kChunk ? static_cast<int>(last - p) : kChunk);
      }
    }
  }

 private:
  using Block = EdgeBlock<A>;

  static constexpr int kChunk = 64;  // entries of X whose sums are taken in one walk of the edges

  void run_chunk(Block& block, int64_t j, int64_t p, int count) {
    A sum[kChunk] = {};
    int32_t column[kChunk];
    for (int t = 0; t < count; ++t) column[t] = static_cast<int32_t>(x_.ids[p + t]);
    const int64_t end = csr_.begin(j + 1);
    for (int64_t first = csr_.begin(j); first < end; first = block.end()) {
      block.load(first, end);
      for (int n = 0; n < block.count(); ++n) {
        prefetch_row(block.col(n + Block::kAhead));
        const T* g = g_ + block.col(n) * args_.g_stride;
        const A coefficient = block.coefficient(n);
#pragma GCC unroll 4
        for (int t = 0; t < count; ++t) sum[t] += coefficient * to_acc(g[column[t]]);
      }
    }
    const A scale = row_scale_ == nullptr ? A(1) : row_scale_[j];
    T* out = static_cast<T*>(args_.values) + p;
    for (int t = 0; t < count; ++t) out[t] = from_acc<T>(sum[t] * scale);
  }

  SGNN_INLINE void prefetch_row(int64_t row) const {
    constexpr int64_t kMaxBytes = 1024;
    const char* g = reinterpret_cast<const char*>(g_ + row * args_.g_stride);
    const int64_t bytes = args_.x.num_cols * static_cast<int64_t>(sizeof(T));
    const int64_t ahead = bytes < kMaxBytes ? bytes : kMaxBytes;
    for (int64_t b = 0; b < ahead; b += 64) __builtin_prefetch(g + b, 0, 2);
  }

  const RowsSpmmArgs& args_;
  const CsrReader csr_;
  const RowsView<Id> x_;
  const T* const g_;
  const A* const row_scale_;
};

}  // namespace sgnn::cpu::SGNN_ISA

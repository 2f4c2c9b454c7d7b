#include "sgnn/spgemm.h"

#include <algorithm>
#include <vector>

#include "sgnn/dispatch.h"
#include "sgnn/rows_spmm.h"

namespace sgnn {
namespace {

// The columns of one row of C at a time, as bits.
template <typename Index>
class RowUnion {
 public:
  explicit RowUnion(const SpgemmArgs& args)
      : a_(view_csr<Index>(args.a)),
        b_(view_csr<Index>(args.b)),
        b_bits_(args.b_bits),
        words_(static_cast<size_t>(spgemm_words(args)), 0) {}

  // Unites the rows of B that row `row` of A names. Returns how many columns they have.
  int64_t collect(int64_t row) {
    clear();
    if (b_bits_ == nullptr) return collect_columns(row);
    const auto count = static_cast<int64_t>(words_.size());
    for (int64_t e = a_.rowptr[row]; e < a_.rowptr[row + 1]; ++e) {
      const uint64_t* bits = b_bits_ + static_cast<int64_t>(a_.col[e]) * count;
      for (int64_t w = 0; w < count; ++w) words_[w] |= bits[w];
    }
    int64_t size = 0;
    for (const uint64_t word : words_) size += __builtin_popcountll(word);
    return size;
  }

  // The columns of the last row collected, ascending.
  void write(Index* out) {
    constexpr size_t kSortCost = 16;  // words looked at in the time of sorting one column
    if (b_bits_ == nullptr && columns_.size() * kSortCost < words_.size()) {
      std::sort(columns_.begin(), columns_.end());
      std::copy(columns_.begin(), columns_.end(), out);
      return;
    }
    for (size_t w = 0; w < words_.size(); ++w) {
      for (uint64_t word = words_[w]; word != 0; word &= word - 1) {
        *out++ = static_cast<Index>(64 * w + static_cast<size_t>(__builtin_ctzll(word)));
      }
    }
  }

 private:
  void clear() {
    if (b_bits_ != nullptr) std::fill(words_.begin(), words_.end(), 0);
    for (const Index column : columns_) words_[static_cast<size_t>(column) / 64] = 0;
    columns_.clear();
  }

  int64_t collect_columns(int64_t row) {
    for (int64_t e = a_.rowptr[row]; e < a_.rowptr[row + 1]; ++e) {
      const auto j = static_cast<int64_t>(a_.col[e]);
      for (int64_t q = b_.rowptr[j]; q < b_.rowptr[j + 1]; ++q) add(b_.col[q]);
    }
    return static_cast<int64_t>(columns_.size());
  }

  void add(Index column) {
    uint64_t& word = words_[static_cast<size_t>(column) / 64];
    const uint64_t bit = uint64_t{1} << (column % 64);
    if ((word & bit) != 0) return;
    word |= bit;
    columns_.push_back(column);
  }

  const CsrView<Index> a_;
  const CsrView<Index> b_;
  const uint64_t* const b_bits_;
  std::vector<uint64_t> words_;
  std::vector<Index> columns_;  // those set in words_, where rows are united one by one
};

// C as sums of rows of B, in the terms of the product with sparse rows.
RowsSpmmArgs as_rows(const SpgemmArgs& args) {
  RowsSpmmArgs rows;
  rows.csr = args.a;
  rows.dtype = args.dtype;
  rows.x.num_rows = args.b.num_rows;
  rows.x.num_cols = args.b.num_cols;
  rows.x.nnz = args.b.nnz;
  rows.x.rowptr = args.b.rowptr;
  rows.x.ids = args.b.col;
  rows.x.id_type = args.b.index_type == IndexType::kInt32 ? IdType::kInt32 : IdType::kInt64;
  rows.x.values = args.b_values;
  rows.weight = args.a_values;
  rows.pattern = args.c;
  return rows;
}

}  // namespace

void spgemm_bits_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, uint64_t* bits) {
  const int64_t count = spgemm_words(args);
  std::fill(bits + begin * count, bits + end * count, 0);
  dispatch_index(args.b.index_type, [&](auto index) {
    const auto b = view_csr<typename decltype(index)::type>(args.b);
    for (int64_t j = begin; j < end; ++j) {
      for (int64_t q = b.rowptr[j]; q < b.rowptr[j + 1]; ++q) {
        const auto column = static_cast<int64_t>(b.col[q]);
        bits[j * count + column / 64] |= uint64_t{1} << (column % 64);
      }
    }
  });
}

void spgemm_sizes_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, int64_t* sizes) {
  dispatch_index(args.a.index_type, [&](auto index) {
    RowUnion<typename decltype(index)::type> row(args);
    for (int64_t i = begin; i < end; ++i) sizes[i] = row.collect(i);
  });
}

void spgemm_columns_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* col) {
  dispatch_index(args.a.index_type, [&](auto index) {
    using Index = typename decltype(index)::type;
    RowUnion<Index> row(args);
    const auto* rowptr = static_cast<const Index*>(args.c.rowptr);
    for (int64_t i = begin; i < end; ++i) {
      row.collect(i);
      row.write(static_cast<Index*>(col) + rowptr[i]);
    }
  });
}

void spgemm_values_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* c_values) {
  RowsSpmmArgs rows = as_rows(args);
  rows.y = c_values;
  rows_spmm_cpu(rows, begin, end);
}

void spgemm_grad_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* da, void* db) {
  RowsSpmmArgs rows = as_rows(args);
  rows.g = args.g;
  rows.edges = da;
  rows.values = db;
  rows_spmm_edges_cpu(rows, begin, end);
}

}  // namespace sgnn

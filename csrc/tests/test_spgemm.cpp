// Sparse products with a sparse result: the pattern against sets, the values and gradients of the
// CPU and of the emulated CUDA kernels against their definition in fp64.
#include <set>
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "sgnn/rows_spmm.h"
#include "sgnn/spgemm.h"
#include "values.h"

namespace test {
namespace {

template <typename Index>
struct Pattern {
  // Rows of 0 to `most` ascending columns, some of them twice.
  Pattern(Random& random, int64_t rows, int64_t cols, int64_t most) : num_cols(cols) {
    for (int64_t i = 0; i < rows; ++i) {
      std::multiset<int64_t> row;
      for (int64_t n = cols == 0 ? 0 : random.below(most + 1); n > 0; --n) {
        row.insert(random.below(cols));
      }
      for (const int64_t column : row) col.push_back(static_cast<Index>(column));
      rowptr.push_back(static_cast<Index>(col.size()));
    }
  }
  explicit Pattern(int64_t cols) : num_cols(cols) {}

  int64_t rows() const { return static_cast<int64_t>(rowptr.size()) - 1; }
  int64_t nnz() const { return static_cast<int64_t>(col.size()); }
  sgnn::CsrArg arg() const {
    return {rows(), num_cols, nnz(), rowptr.data(), col.data(), nullptr, kIndexType<Index>};
  }

  int64_t num_cols;
  std::vector<Index> rowptr = {0}, col;
};

template <typename T, typename Index>
class Problem {
 public:
  using Acc = acc_t<T>;

  Problem(int64_t rows, int64_t inner, int64_t cols, int64_t most_a, int64_t most_b)
      : a_(random_, rows, inner, most_a), b_(random_, inner, cols, most_b), c_(cols) {
    define_pattern();
    args_.a = a_.arg();
    args_.b = b_.arg();
    args_.dtype = Type<T>::dtype;
    draw(a_values_, a_.nnz());
    draw(b_values_, b_.nnz());
    draw(g_, c_.nnz());
    args_.a_values = a_values_.data();
    args_.b_values = b_values_.data();
    args_.g = g_.data();
  }

  void compare() {
    check_pattern(false, false);
    check_pattern(false, true);
    check_pattern(true, false);
    args_.c = c_.arg();
    Buffer<double> c(c_.nnz()), da(a_.nnz()), db(b_.nnz());
    Buffer<double> c_size(c.size()), da_size(da.size()), db_size(db.size());
    define(c, da, db, c_size, da_size, db_size);
    const double tolerance = Type<T>::tolerance;
    for (const bool cuda : {false, true}) {
      const check::Context context(cuda ? "cuda" : "cpu");
      Buffer<T> values(c_.nnz()), b_grad(b_.nnz());
      Buffer<Acc> a_grad(a_.nnz());
      run(cuda, values, a_grad, b_grad);
      expect(difference(values, c, c_size, tolerance));
      expect(difference(a_grad, da, da_size, tolerance));
      expect(difference(b_grad, db, db_size, tolerance));
    }
  }

 private:
  static void expect(const std::string& wrong) { CHECK_TEXT(wrong.empty(), wrong); }

  template <typename V>
  void draw(std::vector<V>& out, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out.push_back(from_double<V>(random_.uniform(-1, 1)));
  }

  void define_pattern() {
    for (int64_t i = 0; i < a_.rows(); ++i) {
      std::set<Index> row;
      for (int64_t e = a_.rowptr[i]; e < a_.rowptr[i + 1]; ++e) {
        const int64_t j = a_.col[e];
        row.insert(b_.col.begin() + b_.rowptr[j], b_.col.begin() + b_.rowptr[j + 1]);
      }
      c_.col.insert(c_.col.end(), row.begin(), row.end());
      c_.rowptr.push_back(static_cast<Index>(c_.col.size()));
    }
  }

  void check_pattern(bool cuda, bool with_bits) {
    const check::Context context(cuda ? "cuda pattern" : with_bits ? "bits pattern" : "pattern");
    sgnn::SpgemmArgs args = args_;
    std::vector<uint64_t> bits(static_cast<size_t>(b_.rows() * sgnn::spgemm_words(args)) + 1);
    if (with_bits) {
      sgnn::spgemm_bits_cpu(args, 0, b_.rows() / 2, bits.data());
      sgnn::spgemm_bits_cpu(args, b_.rows() / 2, b_.rows(), bits.data());
      args.b_bits = bits.data();
    }
    Buffer<int64_t> sizes(a_.rows());
    Buffer<Index> col(c_.nnz());
    args.c = c_.arg();
    if (cuda) {
      CHECK(sgnn::spgemm_sizes_cuda(args, sizes.data(), nullptr) == nullptr);
      CHECK(sgnn::spgemm_columns_cuda(args, col.data(), nullptr) == nullptr);
    } else {
      sgnn::spgemm_sizes_cpu(args, 0, a_.rows(), sizes.data());
      sgnn::spgemm_columns_cpu(args, 0, a_.rows(), col.data());
    }
    for (int64_t i = 0; i < a_.rows(); ++i) CHECK(sizes[i] == c_.rowptr[i + 1] - c_.rowptr[i]);
    for (int64_t p = 0; p < c_.nnz(); ++p) CHECK(col[p] == c_.col[p]);
  }

  void define(Buffer<double>& c, Buffer<double>& da, Buffer<double>& db, Buffer<double>& c_size,
              Buffer<double>& da_size, Buffer<double>& db_size) {
    for (auto* buffer : {&c, &da, &db, &c_size, &da_size, &db_size}) {
      for (int64_t i = 0; i < buffer->size(); ++i) (*buffer)[i] = 0;
    }
    const auto add = [](Buffer<double>& sum, Buffer<double>& size, int64_t at, double term) {
      sum[at] += term;
      size[at] += std::fabs(term);
    };
    for (int64_t i = 0; i < a_.rows(); ++i) {
      for (int64_t e = a_.rowptr[i]; e < a_.rowptr[i + 1]; ++e) {
        for (int64_t q = b_.rowptr[a_.col[e]]; q < b_.rowptr[a_.col[e] + 1]; ++q) {
          int64_t p = c_.rowptr[i];
          while (c_.col[p] != b_.col[q]) ++p;
          const double a = to_double(a_values_[e]), b = to_double(b_values_[q]);
          add(c, c_size, p, a * b);
          add(da, da_size, e, b * to_double(g_[p]));
          add(db, db_size, q, a * to_double(g_[p]));
        }
      }
    }
  }

  void run(bool cuda, Buffer<T>& values, Buffer<Acc>& a_grad, Buffer<T>& b_grad) {
    if (cuda) {
      const Transposed transposed(a_);
      CHECK(sgnn::spgemm_values_cuda(args_, values.data(), nullptr) == nullptr);
      CHECK(sgnn::spgemm_grad_a_cuda(args_, a_grad.data(), nullptr) == nullptr);
      CHECK(sgnn::spgemm_grad_b_cuda(args_, transposed.arg, b_grad.data(), nullptr) == nullptr);
      return;
    }
    const int64_t half = a_.rows() / 2;
    sgnn::spgemm_values_cpu(args_, 0, half, values.data());
    sgnn::spgemm_values_cpu(args_, half, a_.rows(), values.data());
    std::vector<Acc> sums(static_cast<size_t>(2 * b_.nnz()) + 1, Acc(0));
    sgnn::spgemm_grad_cpu(args_, 0, half, a_grad.data(), sums.data());
    sgnn::spgemm_grad_cpu(args_, half, a_.rows(), a_grad.data(), sums.data() + b_.nnz());
    sgnn::sum_values_cpu(args_.dtype, sums.data(), 2, b_.nnz(), b_grad.data());
  }

  // The entries of A by column, with their positions.
  struct Transposed {
    explicit Transposed(const Pattern<Index>& a) {
      std::vector<std::vector<std::pair<Index, Index>>> rows(static_cast<size_t>(a.num_cols));
      for (int64_t i = 0; i < a.rows(); ++i) {
        for (int64_t e = a.rowptr[i]; e < a.rowptr[i + 1]; ++e) {
          rows[static_cast<size_t>(a.col[e])].push_back(
              {static_cast<Index>(i), static_cast<Index>(e)});
        }
      }
      for (const auto& row : rows) {
        for (const auto& [i, e] : row) {
          col.push_back(i);
          id.push_back(e);
        }
        rowptr.push_back(static_cast<Index>(col.size()));
      }
      arg = {a.num_cols, a.rows(),  a.nnz(),          rowptr.data(),
             col.data(), id.data(), kIndexType<Index>};
    }
    std::vector<Index> rowptr = {0}, col, id;
    sgnn::CsrArg arg;
  };

  Random random_{23};
  Pattern<Index> a_, b_, c_;
  std::vector<Acc> a_values_;
  std::vector<T> b_values_, g_;
  sgnn::SpgemmArgs args_;
};

SGNN_TEST(spgemm_shapes) {
  for_each_type([](auto value, auto index) {
    using T = decltype(value);
    using Index = decltype(index);
    const check::Context context(std::string(Type<T>::name));
    Problem<T, Index>(9, 7, 13, 4, 5).compare();
    Problem<T, Index>(20, 30, 200, 12, 90).compare();
    Problem<T, Index>(5, 4, 20000, 3, 60).compare();
    Problem<T, Index>(3, 2, 0, 2, 0).compare();
    Problem<T, Index>(0, 2, 3, 1, 2).compare();
    Problem<T, Index>(3, 0, 4, 0, 0).compare();
  });
}

SGNN_TEST(spgemm_does_not_depend_on_the_order_of_blocks) {
  emu::Block::instance().reverse = true;
  Problem<float, int32_t>(20, 30, 700, 9, 40).compare();
  emu::Block::instance().reverse = false;
}

}  // namespace
}  // namespace test

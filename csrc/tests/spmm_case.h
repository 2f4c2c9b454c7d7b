// One SpMM problem: inputs, the fp64 result of its definition, and the kernels under test.
#pragma once

#include <string>

#include "emu/block.h"
#include "graphs.h"
#include "sgnn/spmm.h"
#include "values.h"

namespace test {

// What a case exercises. `pad` widens x's stride and `offset` moves x and y off a 16-byte boundary,
// both in elements. `poison` puts NaN and Inf behind every dropped edge. `drop` is the probability
// of dropout. Rows of the residual are as far apart as those of x.
struct SpmmMode {
  const char* name;
  bool weight = false;
  bool mask = false;
  bool bits = false;
  bool row_scale = false;
  bool col_scale = false;
  bool edge_id = false;
  bool mean = false;
  bool bias = false;
  bool relu = false;
  bool poison = false;
  bool residual = false;
  double drop = 0;
  int pad = 0;
  int offset = 0;
};

// O is the element type of y.
template <typename T, typename Index, typename O = T>
class SpmmCase {
 public:
  using Acc = acc_t<T>;

  SpmmCase(const Graph& graph, int64_t width, const SpmmMode& mode)
      : mode_(mode),
        width_(width),
        stride_(width + mode.pad),
        csr_(graph, mode.edge_id),
        x_(graph.num_cols == 0 ? 0 : (graph.num_cols - 1) * stride_ + width, mode.offset),
        weight_(graph.nnz()),
        mask_(graph.nnz()),
        bits_((graph.nnz() + 7) / 8),
        row_scale_(graph.num_rows),
        col_scale_(graph.num_cols),
        bias_(width),
        residual_(graph.num_rows * stride_, mode.offset),
        expected(graph.num_rows * width),
        magnitude(graph.num_rows * width) {
    draw_inputs(graph);
    define(graph);
  }

  Buffer<O> cuda(bool with_workspace = true) {
    Buffer<O> y(expected.size(), mode_.offset);
    const sgnn::SpmmArgs args = arguments(y);
    Buffer<char> workspace(sgnn::spmm_workspace(args));
    void* place = with_workspace ? workspace.data() : nullptr;
    const sgnn::Status status = sgnn::spmm_cuda(args, place, nullptr);
    return status == nullptr ? std::move(y) : Buffer<O>(0);
  }

  Buffer<O> cpu() {
    Buffer<O> y(expected.size(), mode_.offset);
    sgnn::spmm_cpu(arguments(y), 0, csr_.arg.num_rows);
    return y;
  }

  // From the transpose, `slice` columns at a time.
  Buffer<O> cpu_push(const Graph& graph, int64_t slice) {
    const TransposedCsr<Index> by_source(graph, csr_);
    Buffer<O> y(expected.size(), mode_.offset);
    const sgnn::SpmmArgs args = arguments(y);
    for (int64_t first = 0; first < width_; first += slice) {
      const int64_t last = first + slice < width_ ? first + slice : width_;
      sgnn::spmm_push_cpu(args, by_source.arg, first, last);
    }
    return y;
  }

 private:
  void draw_inputs(const Graph& graph) {
    fill(random_, x_, -1, 1);
    fill(random_, weight_, -1, 1);
    fill(random_, mask_, 0, 1);
    fill(random_, row_scale_, 0.2, 1);
    fill(random_, col_scale_, 0.2, 1);
    fill(random_, bias_, -1, 1);
    fill(random_, residual_, -1, 1);
    fill_bits(random_, bits_);
    if (mode_.poison) drop_and_poison(graph);
  }

  // Every edge into an odd column is dropped; its features and factors become NaN or Inf.
  void drop_and_poison(const Graph& graph) {
    const T worst[] = {from_double<T>(kNaN), from_double<T>(kInf), from_double<T>(-kInf)};
    for (int64_t j = 1; j < graph.num_cols; j += 2) {
      for (int64_t f = 0; f < width_; ++f) x_[j * stride_ + f] = worst[(j + f) % 3];
      col_scale_[j] = static_cast<Acc>(kNaN);
    }
    keep_even_columns(graph, csr_, bits_);
    for (int64_t e = 0; e < graph.nnz(); ++e) {
      const int64_t id = csr_.id(e);
      if (!bit_of(bits_, id)) weight_[id] = static_cast<Acc>(kInf);
    }
  }

  // The definition in sgnn/spmm.h, one element at a time.
  void define(const Graph& graph) {
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t f = 0; f < width_; ++f) {
        double sum = 0;
        double terms = 0;
        int64_t kept = 0;
        for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
          const int64_t j = graph.col[e];
          const int64_t id = csr_.id(e);
          if (mode_.bits && !bit_of(bits_, id)) continue;
          double term = to_double(x_[j * stride_ + f]);
          if (mode_.weight) term *= to_double(weight_[id]);
          if (mode_.mask) term *= to_double(mask_[id]);
          if (mode_.col_scale) term *= to_double(col_scale_[j]);
          sum += term;
          terms += std::fabs(term);
          ++kept;
        }
        double scale = mode_.row_scale ? to_double(row_scale_[i]) : 1.0;
        if (mode_.mean && kept > 0) scale /= static_cast<double>(kept);
        const double bias = mode_.bias ? to_double(bias_[f]) : 0.0;
        const double value = scale * sum + bias;
        finish(i, f, mode_.relu && value < 0 ? 0 : value, scale * terms + std::fabs(bias));
      }
    }
  }

  void finish(int64_t i, int64_t f, double value, double size) {
    const uint32_t threshold = sgnn::dropout_threshold(mode_.drop);
    if (mode_.drop > 0) {
      const auto seed = static_cast<uint64_t>(seed_);
      const bool kept = sgnn::dropout_keeps(seed, i * width_ + f, threshold);
      value = kept ? value * 65536.0 / threshold : 0.0;
      size = kept ? size * 65536.0 / threshold : 0.0;
    }
    const double added = mode_.residual ? to_double(residual_[i * stride_ + f]) : 0.0;
    expected[i * width_ + f] = value + added;
    magnitude[i * width_ + f] = size + std::fabs(added);
  }

  sgnn::SpmmArgs arguments(Buffer<O>& y) {
    sgnn::SpmmArgs args;
    args.csr = csr_.arg;
    args.dtype = Type<T>::dtype;
    args.out_dtype = Type<O>::dtype;
    args.width = width_;
    args.x = x_.data();
    args.x_stride = stride_;
    args.y = y.data();
    args.weight = mode_.weight ? weight_.data() : nullptr;
    args.mask = mode_.mask ? mask_.data() : nullptr;
    args.bits = mode_.bits ? bits_.data() : nullptr;
    args.row_scale = mode_.row_scale ? row_scale_.data() : nullptr;
    args.col_scale = mode_.col_scale ? col_scale_.data() : nullptr;
    args.bias = mode_.bias ? bias_.data() : nullptr;
    args.mean = mode_.mean;
    args.relu = mode_.relu;
    args.residual = mode_.residual ? residual_.data() : nullptr;
    args.residual_stride = stride_;
    args.dropout_threshold = sgnn::dropout_threshold(mode_.drop);
    args.seed = mode_.drop > 0 ? &seed_ : nullptr;
    return args;
  }

  Random random_{1234};
  SpmmMode mode_;
  int64_t width_;
  int64_t stride_;
  Csr<Index> csr_;
  Buffer<T> x_;
  Buffer<Acc> weight_;
  Buffer<Acc> mask_;
  Buffer<uint8_t> bits_;
  Buffer<Acc> row_scale_;
  Buffer<Acc> col_scale_;
  Buffer<Acc> bias_;
  Buffer<O> residual_;
  const int64_t seed_ = -987654321987654321;

 public:
  Buffer<double> expected;   // [M, F]
  Buffer<double> magnitude;  // sum of the absolute terms
};

}  // namespace test

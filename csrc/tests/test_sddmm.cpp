// The emulated SDDMM against its definition in fp64 and against the CPU kernel.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/sddmm.h"
#include "values.h"

namespace test {
namespace {

struct Mode {
  const char* name;
  bool coef = false;
  bool bits = false;
  bool scales = false;
  bool edge_id = false;
  bool poison = false;  // Inf and NaN behind every dropped edge
  int pad = 0;          // of the strides of a and b
  int offset = 0;       // of a and b from a 16-byte boundary
};

const Mode kModes[] = {
    {.name = "none"},
    {.name = "coef+edge_id", .coef = true, .edge_id = true},
    {.name = "bits", .bits = true},
    {.name = "scales", .scales = true},
    {.name = "odd stride", .pad = 3},
    {.name = "misaligned", .offset = 1},
    {.name = "all",
     .coef = true,
     .bits = true,
     .scales = true,
     .edge_id = true,
     .poison = true,
     .pad = 8},
};

template <typename T, typename Index>
class SddmmCase {
 public:
  using Acc = acc_t<T>;

  SddmmCase(const Graph& graph, int64_t width, const Mode& mode)
      : mode_(mode),
        width_(width),
        stride_(width + mode.pad),
        csr_(graph, mode.edge_id),
        a_(extent(graph.num_rows), mode.offset),
        b_(extent(graph.num_cols), mode.offset),
        coef_(graph.nnz()),
        row_scale_(graph.num_rows),
        col_scale_(graph.num_cols),
        bits_((graph.nnz() + 7) / 8),
        expected(graph.nnz()),
        magnitude(graph.nnz()) {
    for (auto* rows : {&a_, &b_}) fill(random_, *rows, -1, 1);
    for (auto* values : {&coef_, &row_scale_, &col_scale_}) fill(random_, *values, 0.2, 1);
    fill_bits(random_, bits_);
    if (mode.poison) drop_and_poison(graph);
    define(graph);
  }

  Buffer<Acc> cuda() {
    Buffer<Acc> out(expected.size());
    return sgnn::sddmm_cuda(arguments(out), nullptr) == nullptr ? std::move(out) : Buffer<Acc>(0);
  }

  Buffer<Acc> cpu() {
    Buffer<Acc> out(expected.size());
    sgnn::sddmm_cpu(arguments(out), 0, csr_.arg.num_rows);
    return out;
  }

 private:
  int64_t extent(int64_t rows) const { return rows == 0 ? 0 : (rows - 1) * stride_ + width_; }

  bool kept(int64_t id) const { return !mode_.bits || bit_of(bits_, id); }

  void drop_and_poison(const Graph& graph) {
    for (int64_t j = 1; j < graph.num_cols; j += 2) {
      b_[j * stride_] = from_double<T>(j % 4 == 1 ? kNaN : kInf);
    }
    keep_even_columns(graph, csr_, bits_);
  }

  void define(const Graph& graph) {
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
        const int64_t id = csr_.id(e);
        const int64_t j = graph.col[e];
        double factor = mode_.coef ? to_double(coef_[id]) : 1.0;
        if (mode_.scales) factor *= to_double(row_scale_[i]) * to_double(col_scale_[j]);
        double dot = 0;
        double terms = 0;
        for (int64_t f = 0; f < width_ && kept(id); ++f) {
          const double term = to_double(a_[i * stride_ + f]) * to_double(b_[j * stride_ + f]);
          dot += term;
          terms += std::fabs(term);
        }
        expected[id] = kept(id) ? factor * dot : 0.0;
        magnitude[id] = factor * terms;
      }
    }
  }

  sgnn::SddmmArgs arguments(Buffer<Acc>& out) {
    sgnn::SddmmArgs args;
    args.csr = csr_.arg;
    args.dtype = Type<T>::dtype;
    args.width = width_;
    args.a = a_.data();
    args.a_stride = stride_;
    args.b = b_.data();
    args.b_stride = stride_;
    args.out = out.data();
    args.coef = mode_.coef ? coef_.data() : nullptr;
    args.bits = mode_.bits ? bits_.data() : nullptr;
    args.row_scale = mode_.scales ? row_scale_.data() : nullptr;
    args.col_scale = mode_.scales ? col_scale_.data() : nullptr;
    return args;
  }

  Random random_{4321};
  Mode mode_;
  int64_t width_;
  int64_t stride_;
  Csr<Index> csr_;
  Buffer<T> a_;
  Buffer<T> b_;
  Buffer<Acc> coef_;
  Buffer<Acc> row_scale_;
  Buffer<Acc> col_scale_;
  Buffer<uint8_t> bits_;

 public:
  Buffer<double> expected;   // by edge id
  Buffer<double> magnitude;  // sum of the absolute terms
};

// The result is stored as acc_t<T>, and products of 16-bit values are exact in it.
template <typename T>
constexpr double kTolerance = Type<acc_t<T>>::tolerance;

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const Mode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  SddmmCase<T, Index> problem(graph, width, mode);
  const auto cuda = problem.cuda();
  CHECK(cuda.size() == problem.expected.size());
  const std::string wrong = difference(cuda, problem.expected, problem.magnitude, kTolerance<T>);
  CHECK_TEXT(wrong.empty(), "against fp64: " + wrong);
  const std::string apart = difference(cuda, problem.cpu(), problem.magnitude, 2 * kTolerance<T>);
  CHECK_TEXT(apart.empty(), "against the CPU kernel: " + apart);
  emu::Block::instance().reverse = true;
  CHECK(cuda == problem.cuda());
  emu::Block::instance().reverse = false;
}

SGNN_TEST(sddmm_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
}

SGNN_TEST(sddmm_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {0, 1, 3, 7, 8, 31, 33, 128, 257, 2048}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kModes[6]);
    });
    compare<float, int32_t>(graph, width, kModes[5]);
  }
}

SGNN_TEST(sddmm_hub_row) {
  compare<float, int32_t>(hub(), 16, kModes[6]);
  compare<BFloat16, int64_t>(hub(), 7, kModes[1]);
}

}  // namespace
}  // namespace test

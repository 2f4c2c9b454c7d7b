// The emulated gradients of SpMM against their definition in fp64 and against the CPU kernel.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/spmm_grad.h"
#include "spmm_split.cuh"
#include "values.h"

namespace test {
namespace {

struct Mode {
  const char* name;
  bool weight = false;
  bool mask = false;
  bool bits = false;
  bool scales = false;
  bool edge_id = false;
  bool poison = false;  // Inf and NaN behind every dropped edge
  int pad = 0;          // of the strides of g and x
  int offset = 0;       // of g and x from a 16-byte boundary
};

const Mode kModes[] = {
    {.name = "none"},
    {.name = "weight+mask+edge_id", .weight = true, .mask = true, .edge_id = true},
    {.name = "bits", .bits = true},
    {.name = "scales", .scales = true},
    {.name = "odd stride", .pad = 3},
    {.name = "misaligned", .offset = 1},
    {.name = "all",
     .weight = true,
     .mask = true,
     .bits = true,
     .scales = true,
     .edge_id = true,
     .poison = true,
     .pad = 8},
};

template <typename T>
struct Result {
  Buffer<T> dx;
  Buffer<acc_t<T>> d_edge;
  bool operator==(const Result& other) const { return dx == other.dx && d_edge == other.d_edge; }
};

template <typename T, typename Index>
class GradCase {
 public:
  using Acc = acc_t<T>;

  // `graph` is the transpose: its rows are sources.
  GradCase(const Graph& graph, int64_t width, const Mode& mode)
      : mode_(mode),
        width_(width),
        stride_(width + mode.pad),
        csr_(graph, mode.edge_id),
        g_(extent(graph.num_cols), mode.offset),
        x_(extent(graph.num_rows), mode.offset),
        weight_(graph.nnz()),
        mask_(graph.nnz()),
        source_scale_(graph.num_rows),
        target_scale_(graph.num_cols),
        bits_((graph.nnz() + 7) / 8),
        dx(graph.num_rows * width),
        dx_magnitude(graph.num_rows * width),
        d_edge(graph.nnz()),
        d_edge_magnitude(graph.nnz()) {
    for (auto* rows : {&g_, &x_}) fill(random_, *rows, -1, 1);
    for (auto* values : {&weight_, &mask_, &source_scale_, &target_scale_}) {
      fill(random_, *values, 0.2, 1);
    }
    fill_bits(random_, bits_);
    if (mode.poison) drop_and_poison(graph);
    define(graph);
  }

  Result<T> cuda(bool with_workspace = true) {
    Result<T> out{Buffer<T>(dx.size()), Buffer<Acc>(d_edge.size())};
    const sgnn::SpmmGradArgs args = arguments(out);
    Buffer<char> workspace(sgnn::spmm_grad_workspace(args));
    void* place = with_workspace ? workspace.data() : nullptr;
    CHECK(sgnn::spmm_grad_cuda(args, place, nullptr) == nullptr);
    return out;
  }

  Result<T> cpu() {
    Result<T> out{Buffer<T>(dx.size()), Buffer<Acc>(d_edge.size())};
    sgnn::spmm_grad_cpu(arguments(out), 0, csr_.arg.num_rows);
    return out;
  }

 private:
  int64_t extent(int64_t rows) const { return rows == 0 ? 0 : (rows - 1) * stride_ + width_; }

  bool kept(int64_t id) const { return !mode_.bits || bit_of(bits_, id); }

  void drop_and_poison(const Graph& graph) {
    for (int64_t i = 1; i < graph.num_cols; i += 2) {
      for (int64_t f = 0; f < width_; ++f) {
        g_[i * stride_ + f] = from_double<T>((i + f) % 2 == 0 ? kNaN : kInf);
      }
      target_scale_[i] = static_cast<Acc>(kInf);
    }
    keep_even_columns(graph, csr_, bits_);
  }

  // The definition in sgnn/spmm_grad.h, one edge at a time.
  void define(const Graph& graph) {
    for (int64_t i = 0; i < dx.size(); ++i) dx[i] = dx_magnitude[i] = 0;
    for (int64_t j = 0; j < graph.num_rows; ++j) {
      for (int64_t e = graph.rowptr[j]; e < graph.rowptr[j + 1]; ++e) define_edge(graph, j, e);
    }
  }

  void define_edge(const Graph& graph, int64_t j, int64_t e) {
    const int64_t id = csr_.id(e);
    const int64_t i = graph.col[e];
    d_edge[id] = d_edge_magnitude[id] = 0;
    if (!kept(id)) return;
    const double scale =
        mode_.scales ? to_double(source_scale_[j]) * to_double(target_scale_[i]) : 1.0;
    double c = mode_.weight ? to_double(weight_[id]) : 1.0;
    if (mode_.mask) c *= to_double(mask_[id]);
    for (int64_t f = 0; f < width_; ++f) {
      const double value = scale * to_double(g_[i * stride_ + f]);
      const double term = value * to_double(x_[j * stride_ + f]);
      dx[j * width_ + f] += c * value;
      dx_magnitude[j * width_ + f] += std::fabs(c * value);
      d_edge[id] += term;
      d_edge_magnitude[id] += std::fabs(term);
    }
  }

  sgnn::SpmmGradArgs arguments(Result<T>& out) {
    sgnn::SpmmGradArgs args;
    args.csr = csr_.arg;
    args.dtype = Type<T>::dtype;
    args.width = width_;
    args.g = g_.data();
    args.g_stride = stride_;
    args.x = x_.data();
    args.x_stride = stride_;
    args.dx = out.dx.data();
    args.d_edge = out.d_edge.data();
    args.weight = mode_.weight ? weight_.data() : nullptr;
    args.mask = mode_.mask ? mask_.data() : nullptr;
    args.bits = mode_.bits ? bits_.data() : nullptr;
    args.source_scale = mode_.scales ? source_scale_.data() : nullptr;
    args.target_scale = mode_.scales ? target_scale_.data() : nullptr;
    return args;
  }

  Random random_{777};
  Mode mode_;
  int64_t width_;
  int64_t stride_;
  Csr<Index> csr_;
  Buffer<T> g_;
  Buffer<T> x_;
  Buffer<Acc> weight_;
  Buffer<Acc> mask_;
  Buffer<Acc> source_scale_;
  Buffer<Acc> target_scale_;
  Buffer<uint8_t> bits_;

 public:
  Buffer<double> dx;
  Buffer<double> dx_magnitude;  // sums of the absolute terms
  Buffer<double> d_edge;
  Buffer<double> d_edge_magnitude;
};

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const Mode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  GradCase<T, Index> problem(graph, width, mode);
  const Result<T> results[] = {problem.cuda(), problem.cpu()};
  for (const Result<T>& result : results) {
    std::string wrong = difference(result.dx, problem.dx, problem.dx_magnitude, Type<T>::tolerance);
    CHECK_TEXT(wrong.empty(), "dx: " + wrong);
    wrong = difference(result.d_edge, problem.d_edge, problem.d_edge_magnitude,
                       Type<acc_t<T>>::tolerance);
    CHECK_TEXT(wrong.empty(), "d_edge: " + wrong);
  }
  emu::Block::instance().reverse = true;
  CHECK(results[0] == problem.cuda());
  emu::Block::instance().reverse = false;
}

SGNN_TEST(spmm_grad_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
}

SGNN_TEST(spmm_grad_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {0, 1, 3, 7, 8, 31, 33, 128, 257, 600}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kModes[6]);
    });
    compare<float, int32_t>(graph, width, kModes[5]);
  }
}

SGNN_TEST(spmm_grad_hub_row) {
  compare<float, int32_t>(hub(), 16, kModes[6]);
  compare<BFloat16, int64_t>(hub(), 7, kModes[1]);
  compare<double, int32_t>(hub(), 300, kModes[6]);
  compare<float, int64_t>(hub(), 0, kModes[2]);
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(spmm_grad_hubs_at_chunk_boundaries) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph graphs[] = {draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk, kHub}, 1),
                          draw("behind", 50, {1, kHub, kHub, 0, 0, kHub + kChunk - 4, 2}, 2),
                          draw("first and last", 50, {kHub, 3, kHub}, 4),
                          draw("one row", 50, {7 * kChunk + 3}, 5)};
  for (const Graph& graph : graphs) {
    compare<float, int32_t>(graph, 5, kModes[6]);
    compare<float, int64_t>(graph, 300, kModes[6]);
    compare<BFloat16, int32_t>(graph, 16, kModes[3]);
    compare<Half, int32_t>(graph, 40, kModes[1]);
  }
}

// A launch that must do without the split.
SGNN_TEST(spmm_grad_of_a_hub_without_a_workspace) {
  GradCase<float, int32_t> problem(hub(), 4, kModes[6]);
  const Result<float> result = problem.cuda(false);
  const std::string wrong =
      difference(result.dx, problem.dx, problem.dx_magnitude, Type<float>::tolerance);
  CHECK_TEXT(wrong.empty(), wrong);
}

}  // namespace
}  // namespace test

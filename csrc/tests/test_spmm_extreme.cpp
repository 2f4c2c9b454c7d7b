// The emulated max and min aggregation, and the gradients along its edges, against their
// definition.
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/spmm_extreme.h"
#include "spmm_split.cuh"
#include "values.h"

namespace test {
namespace {

struct Mode {
  const char* name;
  bool weight = false;
  bool mask = false;
  bool bits = false;
  bool edge_id = false;
  bool smallest = false;
  bool ties = false;  // few distinct values, NaN and Inf among them
  int pad = 0;        // of the stride of x
  int offset = 0;     // of x and y from a 16-byte boundary
};

const Mode kModes[] = {
    {.name = "max"},
    {.name = "min+weight+edge_id", .weight = true, .edge_id = true, .smallest = true},
    {.name = "bits", .bits = true},
    {.name = "ties", .edge_id = true, .ties = true},
    {.name = "ties of min", .bits = true, .smallest = true, .ties = true},
    {.name = "misaligned", .offset = 1},
    {.name = "all", .weight = true, .mask = true, .bits = true, .edge_id = true, .pad = 8},
};

template <typename T, typename Index>
struct Result {
  Buffer<T> y;
  Buffer<Index> arg;
  bool operator==(const Result& other) const { return y == other.y && arg == other.arg; }
};

template <typename T, typename Index>
class ExtremeCase {
 public:
  using Acc = acc_t<T>;

  ExtremeCase(const Graph& graph, int64_t width, const Mode& mode)
      : mode_(mode),
        width_(width),
        stride_(width + mode.pad),
        csr_(graph, mode.edge_id),
        x_(graph.num_cols == 0 ? 0 : (graph.num_cols - 1) * stride_ + width, mode.offset),
        weight_(graph.nnz()),
        mask_(graph.nnz()),
        bits_((graph.nnz() + 7) / 8),
        expected{Buffer<T>(graph.num_rows * width), Buffer<Index>(graph.num_rows * width)} {
    const double few[] = {0, 1, 1, -1, kInf, -kInf, kNaN};
    for (int64_t i = 0; i < x_.size(); ++i) {
      x_[i] = from_double<T>(mode.ties ? few[random_.below(7)] : random_.uniform(-1, 1));
    }
    for (auto* values : {&weight_, &mask_}) fill(random_, *values, -1, 1);
    fill_bits(random_, bits_);
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t f = 0; f < width; ++f) define(graph, i, f);
    }
  }

  Result<T, Index> cuda(bool with_workspace = true) {
    Result<T, Index> out = empty();
    const sgnn::SpmmExtremeArgs args = arguments(out);
    Buffer<double> space(sgnn::spmm_extreme_workspace(args) / 8 + 1);
    void* workspace = with_workspace ? space.data() : nullptr;
    CHECK(sgnn::spmm_extreme_cuda(args, workspace, nullptr) == nullptr);
    return out;
  }

  Buffer<T> cuda_without_arg() {
    Result<T, Index> out = empty();
    sgnn::SpmmExtremeArgs args = arguments(out);
    args.arg = nullptr;
    Buffer<double> space(sgnn::spmm_extreme_workspace(args) / 8 + 1);
    CHECK(sgnn::spmm_extreme_cuda(args, space.data(), nullptr) == nullptr);
    return std::move(out.y);
  }

  Result<T, Index> cpu() {
    Result<T, Index> out = empty();
    sgnn::spmm_extreme_cpu(arguments(out), 0, csr_.arg.num_rows);
    return out;
  }

 private:
  Result<T, Index> empty() const {
    return {Buffer<T>(expected.y.size(), mode_.offset), Buffer<Index>(expected.arg.size())};
  }

  // The definition in sgnn/spmm_extreme.h. One product rounds as the kernels' do: results are
  // equal.
  void define(const Graph& graph, int64_t i, int64_t f) {
    Acc best = 0;
    int64_t from = -1;
    for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
      const int64_t id = csr_.id(e);
      if (mode_.bits && !bit_of(bits_, id)) continue;
      Acc c = mode_.weight ? weight_[id] : Acc(1);
      if (mode_.mask) c *= mask_[id];
      const Acc value = c * static_cast<Acc>(to_double(x_[graph.col[e] * stride_ + f]));
      const bool further = mode_.smallest ? value < best : value > best;
      if (from >= 0 && !further && !(std::isnan(value) && !std::isnan(best))) continue;
      best = value;
      from = id;
    }
    expected.y[i * width_ + f] = sgnn::from_acc<T>(best);
    expected.arg[i * width_ + f] = static_cast<Index>(from);
  }

  sgnn::SpmmExtremeArgs arguments(Result<T, Index>& out) {
    sgnn::SpmmExtremeArgs args;
    args.csr = csr_.arg;
    args.dtype = Type<T>::dtype;
    args.width = width_;
    args.x = x_.data();
    args.x_stride = stride_;
    args.y = out.y.data();
    args.arg = out.arg.data();
    args.weight = mode_.weight ? weight_.data() : nullptr;
    args.mask = mode_.mask ? mask_.data() : nullptr;
    args.bits = mode_.bits ? bits_.data() : nullptr;
    args.smallest = mode_.smallest;
    return args;
  }

  Random random_{99};
  Mode mode_;
  int64_t width_;
  int64_t stride_;
  Csr<Index> csr_;
  Buffer<T> x_;
  Buffer<Acc> weight_;
  Buffer<Acc> mask_;
  Buffer<uint8_t> bits_;

 public:
  Result<T, Index> expected;
};

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const Mode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  ExtremeCase<T, Index> problem(graph, width, mode);
  const Result<T, Index> results[] = {problem.cuda(), problem.cpu()};
  for (const Result<T, Index>& result : results) {
    CHECK(result.arg == problem.expected.arg);
    for (int64_t i = 0; i < result.y.size(); ++i) {
      CHECK(close(to_double(result.y[i]), to_double(problem.expected.y[i]), 0, 0));
    }
  }
  emu::Block::instance().reverse = true;
  CHECK(results[0] == problem.cuda());
  emu::Block::instance().reverse = false;
  CHECK(problem.cuda_without_arg() == results[0].y);
  CHECK(problem.cuda(false) == results[0]);
}

// g and arg at random, so that some columns of a row are given by each of its edges and some by
// none: more than a forward pass can produce.
template <typename T, typename Index>
void compare_gradients(const Graph& graph, int64_t width, const Mode& mode) {
  using Acc = acc_t<T>;
  const check::Context context("gradients " + graph.name + " F=" + std::to_string(width) + " " +
                               Type<T>::name + " int" + std::to_string(8 * sizeof(Index)) + " " +
                               mode.name);
  Random random(5);
  Csr<Index> csr(graph, mode.edge_id);
  Buffer<T> g(graph.num_cols * width, mode.offset), x(graph.num_rows * width);
  Buffer<Index> arg(graph.num_cols * width);
  Buffer<Acc> weight(graph.nnz());
  fill(random, g, -1, 1);
  fill(random, x, -1, 1);
  fill(random, weight, -1, 1);
  for (int64_t i = 0; i < arg.size(); ++i) arg[i] = -1;
  for (int64_t e = 0; e < graph.nnz(); ++e) {
    for (int64_t f = e % 3; f < width; f += 3) {
      arg[graph.col[e] * width + f] = static_cast<Index>(csr.id(e));
    }
  }
  std::vector<double> dx(graph.num_rows * width), d_edge(graph.nnz());
  for (int64_t j = 0; j < graph.num_rows; ++j) {
    for (int64_t e = graph.rowptr[j]; e < graph.rowptr[j + 1]; ++e) {
      const int64_t id = csr.id(e);
      for (int64_t f = 0; f < width; ++f) {
        const int64_t at = graph.col[e] * width + f;
        if (arg[at] != static_cast<Index>(id)) continue;
        dx[j * width + f] += to_double(g[at]) * (mode.weight ? double(weight[id]) : 1.0);
        d_edge[id] += to_double(g[at]) * to_double(x[j * width + f]);
      }
    }
  }
  for (const bool cuda : {true, false}) {
    Buffer<T> dx_out(graph.num_rows * width);
    Buffer<Acc> d_edge_out(graph.nnz());
    sgnn::SpmmExtremeGradArgs args;
    args.csr = csr.arg;
    args.dtype = Type<T>::dtype;
    args.width = width;
    args.g = g.data();
    args.g_stride = width;
    args.arg = arg.data();
    args.x = x.data();
    args.x_stride = width;
    args.dx = dx_out.data();
    args.d_edge = d_edge_out.data();
    args.weight = mode.weight ? weight.data() : nullptr;
    if (cuda) {
      CHECK(sgnn::spmm_extreme_grad_cuda(args, nullptr) == nullptr);
    } else {
      sgnn::spmm_extreme_grad_cpu(args, 0, graph.num_rows);
    }
    for (int64_t i = 0; i < dx_out.size(); ++i) {
      CHECK(close(to_double(dx_out[i]), dx[i], 8, Type<T>::tolerance));
    }
    for (int64_t e = 0; e < graph.nnz(); ++e) {
      CHECK(close(double(d_edge_out[e]), d_edge[e], 64, Type<Acc>::tolerance));
    }
  }
}

SGNN_TEST(spmm_extreme_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
}

SGNN_TEST(spmm_extreme_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {0, 1, 3, 7, 8, 31, 33, 128, 257}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kModes[6]);
    });
    compare<float, int32_t>(graph, width, kModes[3]);
  }
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(spmm_extreme_chunk_boundaries) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph aligned = draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk}, 1);
  const Graph behind = draw("behind", 50, {1, kHub, kHub, 0, kHub + kChunk - 4, 2}, 2);
  for (const Mode& mode : kModes) {
    compare<float, int32_t>(aligned, 8, mode);
    compare<double, int64_t>(behind, 5, mode);
  }
  compare<BFloat16, int32_t>(behind, 300, kModes[3]);
}

SGNN_TEST(spmm_extreme_hub_row) {
  compare<float, int32_t>(hub(), 16, kModes[6]);
  compare<BFloat16, int64_t>(hub(), 7, kModes[1]);
}

SGNN_TEST(spmm_extreme_gradients) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : {kModes[0], kModes[1]}) {
      for_each_type([&](auto value, auto index) {
        compare_gradients<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
  for (const int64_t width : {0, 1, 7, 33, 257}) {
    for_each_type([&](auto value, auto index) {
      compare_gradients<decltype(value), decltype(index)>(mixed(), width, kModes[1]);
    });
  }
  compare_gradients<float, int32_t>(hub(), 16, kModes[1]);
}

}  // namespace
}  // namespace test

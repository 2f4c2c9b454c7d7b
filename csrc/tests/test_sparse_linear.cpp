// The emulated sparse-weight linear layer and its weight gradient, against fp64 and the CPU.
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/sparse_linear.h"
#include "values.h"

namespace test {
namespace {

template <typename T>
Buffer<T> draw_values(int64_t count, int64_t offset, uint64_t seed) {
  Random random(seed);
  Buffer<T> values(count, offset);
  for (int64_t i = 0; i < count; ++i) values[i] = from_double<T>(random.uniform(-1, 1));
  return values;
}

// Weight patterns of shape [O, K] (a Graph's rows and columns).
std::vector<Graph> patterns() {
  return {Graph{"no-outputs", 0, 4, {0}, {}},
          Graph{"no-inputs", 3, 0, {0, 0, 0, 0}, {}},
          Graph{"no-weights", 3, 2, {0, 0, 0, 0}, {}},
          self_loops(),
          draw("wide", 70, {3, 0, 9}, 6),
          draw("tall", 2, std::vector<int64_t>(40, 1), 7),
          mixed()};
}

template <typename T, typename Index>
struct Problem {
  using Acc = acc_t<T>;
  Problem(const Graph& weight, int64_t samples, bool with_bias)
      : graph(weight),
        num_samples(samples),
        csr(weight, weight.nnz() % 2 == 1),
        x(draw_values<T>(samples * weight.num_cols, samples % 2, 1)),
        g(draw_values<T>(samples * weight.num_rows, samples % 2, 2)),
        values(draw_values<Acc>(weight.nnz(), 0, 3)),
        bias(draw_values<Acc>(weight.num_rows, 0, 4)),
        biased(with_bias) {}

  sgnn::SparseLinearArgs forward(Buffer<T>& y) {
    sgnn::SparseLinearArgs args;
    args.csr = csr.arg;
    args.dtype = Type<T>::dtype;
    args.num_samples = num_samples;
    args.x = x.data();
    args.values = values.data();
    args.bias = biased ? bias.data() : nullptr;
    args.y = y.data();
    return args;
  }

  sgnn::SparseLinearGradArgs gradient(Buffer<Acc>& out) {
    sgnn::SparseLinearGradArgs args;
    args.csr = csr.arg;
    args.dtype = Type<T>::dtype;
    args.num_samples = num_samples;
    args.g = g.data();
    args.x = x.data();
    args.out = out.data();
    return args;
  }

  const Graph& graph;
  int64_t num_samples;
  Csr<Index> csr;
  Buffer<T> x;
  Buffer<T> g;
  Buffer<Acc> values;
  Buffer<Acc> bias;
  bool biased;
};

template <typename T, typename Index>
void compare_forward(Problem<T, Index>& p) {
  const int64_t outputs = p.graph.num_rows;
  Buffer<double> expected(p.num_samples * outputs);
  Buffer<double> magnitude(expected.size());
  for (int64_t n = 0; n < p.num_samples; ++n) {
    for (int64_t o = 0; o < outputs; ++o) {
      double sum = p.biased ? to_double(p.bias[o]) : 0.0;
      double terms = std::fabs(sum);
      for (int64_t e = p.graph.rowptr[o]; e < p.graph.rowptr[o + 1]; ++e) {
        const double term = to_double(p.values[p.csr.id(e)]) *
                            to_double(p.x[n * p.graph.num_cols + p.graph.col[e]]);
        sum += term;
        terms += std::fabs(term);
      }
      expected[n * outputs + o] = sum;
      magnitude[n * outputs + o] = terms;
    }
  }
  Buffer<T> cuda(expected.size(), p.num_samples % 2);
  Buffer<T> cpu(expected.size(), p.num_samples % 2);
  const auto args = p.forward(cuda);
  Buffer<char> workspace(sgnn::sparse_linear_workspace(args));
  CHECK(sgnn::sparse_linear_cuda(args, workspace.data(), nullptr) == nullptr);
  const auto on_cpu = p.forward(cpu);
  Buffer<double> packed(sgnn::sparse_linear_packed_bytes(on_cpu.csr, on_cpu.dtype) / 8 + 1);
  sgnn::sparse_linear_pack(on_cpu, packed.data());
  sgnn::sparse_linear_cpu(on_cpu, packed.data(), 0, p.num_samples);
  const std::string wrong = difference(cuda, expected, magnitude, Type<T>::tolerance);
  CHECK_TEXT(wrong.empty(), "y against fp64: " + wrong);
  const std::string apart = difference(cuda, cpu, magnitude, 2 * Type<T>::tolerance);
  CHECK_TEXT(apart.empty(), "y against the CPU kernel: " + apart);
}

template <typename T, typename Index>
void compare_gradient(Problem<T, Index>& p) {
  Buffer<double> expected(p.graph.nnz());
  Buffer<double> magnitude(p.graph.nnz());
  for (int64_t o = 0; o < p.graph.num_rows; ++o) {
    for (int64_t e = p.graph.rowptr[o]; e < p.graph.rowptr[o + 1]; ++e) {
      double sum = 0;
      double terms = 0;
      for (int64_t n = 0; n < p.num_samples; ++n) {
        const double term = to_double(p.g[n * p.graph.num_rows + o]) *
                            to_double(p.x[n * p.graph.num_cols + p.graph.col[e]]);
        sum += term;
        terms += std::fabs(term);
      }
      expected[p.csr.id(e)] = sum;
      magnitude[p.csr.id(e)] = terms;
    }
  }
  using Acc = acc_t<T>;
  Buffer<Acc> cuda(p.graph.nnz());
  Buffer<Acc> cpu(p.graph.nnz());
  const auto args = p.gradient(cuda);
  Buffer<char> workspace(sgnn::sparse_linear_grad_workspace(args));
  CHECK(sgnn::sparse_linear_grad_cuda(args, workspace.data(), nullptr) == nullptr);
  const auto on_cpu = p.gradient(cpu);
  constexpr int64_t kChunks = 2;
  Buffer<Acc> sums(kChunks * p.graph.nnz());
  const int64_t half = p.num_samples / 128 * 64;
  const int64_t rows = p.graph.num_rows;
  for (const int64_t row : {int64_t{0}, rows / 2}) {
    const int64_t row_end = row == 0 ? rows / 2 : rows;
    sgnn::sparse_linear_grad_cpu(on_cpu, {0, half, row, row_end, sums.data()});
    sgnn::sparse_linear_grad_cpu(on_cpu,
                                 {half, p.num_samples, row, row_end, sums.data() + p.graph.nnz()});
  }
  sgnn::sparse_linear_grad_sum_cpu(on_cpu, sums.data(), kChunks, 0, p.graph.nnz());
  const std::string wrong = difference(cuda, expected, magnitude, Type<Acc>::tolerance);
  CHECK_TEXT(wrong.empty(), "gradient against fp64: " + wrong);
  const std::string apart = difference(cuda, cpu, magnitude, 2 * Type<Acc>::tolerance);
  CHECK_TEXT(apart.empty(), "gradient against the CPU kernel: " + apart);
}

SGNN_TEST(sparse_linear_patterns_and_samples) {
  for (const Graph& graph : patterns()) {
    for (const int64_t samples : {0, 1, 3, 32, 37, 257}) {
      for_each_type([&](auto value, auto index) {
        using T = decltype(value);
        using Index = decltype(index);
        const check::Context context(graph.name + " N=" + std::to_string(samples) + " " +
                                     Type<T>::name + " int" + std::to_string(8 * sizeof(Index)));
        Problem<T, Index> problem(graph, samples, samples != 32);
        compare_forward(problem);
        compare_gradient(problem);
      });
    }
  }
}

}  // namespace
}  // namespace test

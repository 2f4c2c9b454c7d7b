// The emulated block-sparse linear layer and its weight gradient, against fp64 and the CPU.
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/block_linear.h"
#include "values.h"

namespace test {
namespace {

template <typename T>
Buffer<T> draw_values(int64_t count, uint64_t seed) {
  Random random(seed);
  Buffer<T> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = from_double<T>(random.uniform(-1, 1));
  return values;
}

// Patterns of blocks, [O / b, K / b] (a Graph's rows and columns).
std::vector<Graph> patterns() {
  return {Graph{"no-outputs", 0, 2, {0}, {}}, Graph{"no-blocks", 2, 1, {0, 0, 0}, {}},
          Graph{"mixed", 3, 2, {0, 2, 2, 3}, {0, 1, 1}}};
}

template <typename T, typename Index>
struct Problem {
  using Acc = acc_t<T>;
  Problem(const Graph& pattern, int64_t b, int64_t samples, bool flip)
      : graph(pattern),
        csr(pattern, samples % 2 == 1),
        block(b),
        num_samples(samples),
        transposed(flip),
        inputs(pattern.num_cols * b),
        outputs(pattern.num_rows * b),
        x(draw_values<T>(samples * inputs, 1)),
        g(draw_values<T>(samples * outputs, 2)),
        values(draw_values<Acc>(pattern.nnz() * b * b, 3)),
        bias(draw_values<Acc>(outputs, 4)) {}

  // Calls fn(o, k, place of W[o, k] in values) for every stored entry.
  template <typename Fn>
  void for_each_entry(Fn&& fn) const {
    for (int64_t row = 0; row < graph.num_rows; ++row) {
      for (int64_t j = graph.rowptr[row]; j < graph.rowptr[row + 1]; ++j) {
        for (int64_t o = 0; o < block; ++o) {
          for (int64_t k = 0; k < block; ++k) {
            const int64_t place = transposed ? k * block + o : o * block + k;
            fn(row * block + o, graph.col[j] * block + k, csr.id(j) * block * block + place);
          }
        }
      }
    }
  }

  sgnn::BlockLinearArgs forward(Buffer<T>& y) {
    sgnn::BlockLinearArgs args;
    args.csr = csr.arg;
    args.dtype = Type<T>::dtype;
    args.block = block;
    args.transposed = transposed;
    args.num_samples = num_samples;
    args.x = x.data();
    args.values = values.data();
    args.bias = num_samples % 2 == 1 ? bias.data() : nullptr;
    args.y = y.data();
    return args;
  }

  sgnn::BlockLinearGradArgs gradient(Buffer<Acc>& out) {
    sgnn::BlockLinearGradArgs args;
    args.csr = csr.arg;
    args.dtype = Type<T>::dtype;
    args.block = block;
    args.num_samples = num_samples;
    args.g = g.data();
    args.x = x.data();
    args.out = out.data();
    return args;
  }

  const Graph& graph;
  Csr<Index> csr;
  int64_t block;
  int64_t num_samples;
  bool transposed;
  int64_t inputs;
  int64_t outputs;
  Buffer<T> x;
  Buffer<T> g;
  Buffer<Acc> values;
  Buffer<Acc> bias;
};

template <typename T, typename Index>
void compare_forward(Problem<T, Index>& p) {
  Buffer<double> expected(p.num_samples * p.outputs);
  Buffer<double> magnitude(expected.size());
  for (int64_t i = 0; i < expected.size(); ++i) {
    expected[i] = p.num_samples % 2 == 1 ? to_double(p.bias[i % p.outputs]) : 0.0;
    magnitude[i] = std::fabs(expected[i]);
  }
  p.for_each_entry([&](int64_t o, int64_t k, int64_t place) {
    for (int64_t n = 0; n < p.num_samples; ++n) {
      const double term = to_double(p.values[place]) * to_double(p.x[n * p.inputs + k]);
      expected[n * p.outputs + o] += term;
      magnitude[n * p.outputs + o] += std::fabs(term);
    }
  });
  Buffer<T> cuda(expected.size());
  Buffer<T> cpu(expected.size());
  CHECK(sgnn::block_linear_cuda(p.forward(cuda), nullptr) == nullptr);
  sgnn::block_linear_cpu(p.forward(cpu), 0, p.num_samples);
  const std::string wrong = difference(cuda, expected, magnitude, Type<T>::tolerance);
  CHECK_TEXT(wrong.empty(), "y against fp64: " + wrong);
  const std::string apart = difference(cuda, cpu, magnitude, 2 * Type<T>::tolerance);
  CHECK_TEXT(apart.empty(), "y against the CPU kernel: " + apart);
}

template <typename T, typename Index>
void compare_gradient(Problem<T, Index>& p) {
  using Acc = acc_t<T>;
  Buffer<double> expected(p.values.size());
  Buffer<double> magnitude(expected.size());
  p.for_each_entry([&](int64_t o, int64_t k, int64_t place) {
    expected[place] = 0;
    magnitude[place] = 0;
    for (int64_t n = 0; n < p.num_samples; ++n) {
      const double term = to_double(p.g[n * p.outputs + o]) * to_double(p.x[n * p.inputs + k]);
      expected[place] += term;
      magnitude[place] += std::fabs(term);
    }
  });
  Buffer<Acc> cuda(expected.size());
  Buffer<Acc> cpu(expected.size());
  const auto args = p.gradient(cuda);
  Buffer<char> workspace(sgnn::block_linear_grad_workspace(args));
  CHECK(sgnn::block_linear_grad_cuda(args, workspace.data(), nullptr) == nullptr);
  const auto on_cpu = p.gradient(cpu);
  constexpr int64_t kChunks = 2;
  Buffer<Acc> sums(kChunks * expected.size());
  const int64_t half = p.num_samples / 2;
  const int64_t rows = p.graph.num_rows;
  sgnn::block_linear_grad_cpu(on_cpu, {0, half, 0, rows, sums.data()});
  sgnn::block_linear_grad_cpu(on_cpu,
                              {half, p.num_samples, 0, rows, sums.data() + expected.size()});
  sgnn::block_linear_grad_sum_cpu(on_cpu, sums.data(), kChunks, 0, p.graph.nnz());
  const std::string wrong = difference(cuda, expected, magnitude, Type<Acc>::tolerance);
  CHECK_TEXT(wrong.empty(), "gradient against fp64: " + wrong);
  const std::string apart = difference(cuda, cpu, magnitude, 2 * Type<Acc>::tolerance);
  CHECK_TEXT(apart.empty(), "gradient against the CPU kernel: " + apart);
}

template <typename T, typename Index>
void compare(const Graph& graph, int64_t block, int64_t samples) {
  const check::Context context(graph.name + " b=" + std::to_string(block) +
                               " N=" + std::to_string(samples) + " " + Type<T>::name + " int" +
                               std::to_string(8 * sizeof(Index)));
  Problem<T, Index> plain(graph, block, samples, false);
  compare_forward(plain);
  compare_gradient(plain);
  Problem<T, Index> flipped(graph, block, samples, true);
  compare_forward(flipped);
}

SGNN_TEST(block_linear_patterns_and_samples) {
  for (const Graph& graph : patterns()) {
    for (const int64_t samples : {0, 1, 37, 70}) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 16, samples);
      });
    }
    for (const int64_t block : {32, 64}) {
      compare<float, int32_t>(graph, block, 37);
      compare<double, int64_t>(graph, block, 37);
    }
  }
}

SGNN_TEST(block_linear_gradient_in_chunks) {
  const Graph graph{"one block", 1, 1, {0, 1}, {0}};
  compare<float, int32_t>(graph, 16, 1100);
}

}  // namespace
}  // namespace test

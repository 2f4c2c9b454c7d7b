// The emulated SpMM against its definition in fp64 and against the CPU kernel.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "check.h"
#include "spmm_case.h"

namespace test {
namespace {

const SpmmMode kModes[] = {
    {.name = "none"},
    {.name = "weight", .weight = true},
    {.name = "weight+edge_id", .weight = true, .edge_id = true},
    {.name = "soft mask", .mask = true},
    {.name = "bits", .bits = true},
    {.name = "bits+edge_id+poison", .weight = true, .bits = true, .edge_id = true, .poison = true},
    {.name = "scales+poison", .bits = true, .row_scale = true, .col_scale = true, .poison = true},
    {.name = "mean", .mean = true},
    {.name = "mean of kept", .bits = true, .mean = true},
    {.name = "bias+relu", .bias = true, .relu = true},
    {.name = "aligned stride", .weight = true, .pad = 16},
    {.name = "odd stride", .weight = true, .pad = 3},
    {.name = "misaligned", .weight = true, .offset = 1},
    {.name = "residual", .relu = true, .residual = true},
    {.name = "residual at an odd stride", .residual = true, .pad = 3},
    {.name = "dropout", .weight = true, .bias = true, .drop = 0.4},
    {.name = "everything dropped", .residual = true, .drop = 1},
    {.name = "all",
     .weight = true,
     .mask = true,
     .bits = true,
     .row_scale = true,
     .col_scale = true,
     .edge_id = true,
     .mean = true,
     .bias = true,
     .relu = true,
     .poison = true,
     .residual = true,
     .drop = 0.25,
     .pad = 8},
};

template <typename T, typename Index, typename O = T>
void compare(const Graph& graph, int64_t width, const SpmmMode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " to " + Type<O>::name + " int" + std::to_string(8 * sizeof(Index)) +
                               " " + mode.name);
  SpmmCase<T, Index, O> problem(graph, width, mode);
  const double tolerance = std::max(Type<T>::tolerance, Type<O>::tolerance);
  const Buffer<O> cuda = problem.cuda();
  CHECK(cuda.size() == problem.expected.size());
  const std::string wrong = difference(cuda, problem.expected, problem.magnitude, tolerance);
  CHECK_TEXT(wrong.empty(), "against fp64: " + wrong);
  const std::string apart = difference(cuda, problem.cpu(), problem.magnitude, 2 * tolerance);
  CHECK_TEXT(apart.empty(), "against the CPU kernel: " + apart);
}

SGNN_TEST(spmm_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const SpmmMode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
}

SGNN_TEST(spmm_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {1, 3, 7, 8, 31, 33, 128, 257}) {
    for_each_type([&](auto value, auto index) {
      using T = decltype(value);
      using Index = decltype(index);
      compare<T, Index>(graph, width, kModes[sizeof(T) == 8 ? 1 : 5]);
    });
    for (const SpmmMode& mode : kModes) compare<float, int32_t>(graph, width, mode);
  }
}

SGNN_TEST(spmm_short_rows) {
  const Graph graph = mostly_short();
  for (const int64_t width : {1, 3, 4, 16, 19, 64}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kModes[5]);
    });
    for (const SpmmMode& mode : kModes) compare<float, int32_t>(graph, width, mode);
  }
}

const SpmmMode& mode_called(const std::string& name) {
  return *std::find_if(std::begin(kModes), std::end(kModes),
                       [&](const SpmmMode& mode) { return name == mode.name; });
}

SGNN_TEST(spmm_output_types) {
  for (const Graph& graph : {mixed(), mostly_short(), hub()}) {
    for (const int64_t width : {1, 7, 8, 24, 136}) {
      if (graph.nnz() > 10000 && width != 8) continue;
      for (const char* name : {"none", "residual at an odd stride", "misaligned", "all"}) {
        const SpmmMode& mode = mode_called(name);
        compare<float, int32_t, BFloat16>(graph, width, mode);
        compare<float, int64_t, Half>(graph, width, mode);
        compare<BFloat16, int32_t, float>(graph, width, mode);
        compare<Half, int32_t, BFloat16>(graph, width, mode);
      }
    }
  }
}

// Pushing rows of x, whatever the slice: 64 and 128 bytes of sums, and the columns left over.
template <typename T, typename Index>
void compare_push(const Graph& graph, int64_t width, const SpmmMode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " " + mode.name);
  SpmmCase<T, Index> problem(graph, width, mode);
  for (const int64_t bytes : {64, 128}) {
    const Buffer<T> y = problem.cpu_push(graph, bytes / static_cast<int64_t>(sizeof(acc_t<T>)));
    const std::string wrong =
        difference(y, problem.expected, problem.magnitude, Type<T>::tolerance);
    CHECK_TEXT(wrong.empty(), wrong);
  }
}

SGNN_TEST(spmm_push) {
  std::vector<Graph> graphs = small_graphs();
  graphs.push_back(mostly_short());
  for (const Graph& graph : graphs) {
    for (const char* name : {"none", "weight", "weight+edge_id", "bits+edge_id+poison", "soft mask",
                             "odd stride", "misaligned"}) {
      for (const int64_t width : {1, 16, 35}) {
        for_each_type([&](auto value, auto index) {
          compare_push<decltype(value), decltype(index)>(graph, width, mode_called(name));
        });
      }
    }
  }
}

SGNN_TEST(spmm_push_takes_few_rows_without_an_epilogue) {
  sgnn::SpmmArgs args;
  args.csr.num_rows = 500;
  args.csr.num_cols = 20000;
  args.csr.nnz = 1000000;
  args.width = 512;
  CHECK(sgnn::spmm_cpu_push_slice(args) == 32);
  args.csr.num_rows = 7000;
  CHECK(sgnn::spmm_cpu_push_slice(args) == 16);
  args.csr.num_rows = 20000;
  CHECK(sgnn::spmm_cpu_push_slice(args) == 0);
  args.csr.num_rows = 500;
  args.relu = true;
  CHECK(sgnn::spmm_cpu_push_slice(args) == 0);
  args.relu = false;
  args.width = 8;
  CHECK(sgnn::spmm_cpu_push_slice(args) == 0);
}

SpmmMode draw_mode(Random& random) {
  const auto coin = [&] { return random.below(2) == 1; };
  SpmmMode mode = {.name = "random"};
  mode.weight = coin();
  mode.mask = coin();
  mode.bits = coin();
  mode.row_scale = coin();
  mode.col_scale = coin();
  mode.edge_id = coin();
  mode.mean = coin();
  mode.bias = coin();
  mode.relu = coin();
  mode.poison = mode.bits && coin();
  mode.residual = coin();
  mode.drop = coin() ? 0.5 : 0;
  mode.pad = static_cast<int>(random.below(2) * random.below(9));
  mode.offset = static_cast<int>(random.below(2) * random.below(4));
  return mode;
}

// Shapes and modes that nobody thought of; a failure names its seed.
SGNN_TEST(spmm_random_problems) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    std::vector<int64_t> degrees(static_cast<size_t>(random.below(12)));
    for (int64_t& degree : degrees) degree = random.below(2) * random.below(80);
    const Graph graph = draw("seed " + std::to_string(seed), 1 + random.below(30), degrees, seed);
    const int64_t width = 1 + random.below(random.below(4) == 0 ? 600 : 80);
    const SpmmMode mode = draw_mode(random);
    switch (seed % 4) {
      case 0:
        compare<float, int32_t>(graph, width, mode);
        break;
      case 1:
        compare<double, int64_t>(graph, width, mode);
        break;
      case 2:
        compare<Half, int32_t>(graph, width, mode);
        break;
      default:
        compare<BFloat16, int64_t>(graph, width, mode);
    }
  }
}

SGNN_TEST(spmm_does_not_depend_on_the_schedule) {
  for (const Graph& graph : {mixed(), mostly_short()}) {
    for (const int64_t width : {16, 31, 200}) {
      for (const SpmmMode& mode : kModes) {
        SpmmCase<float, int32_t> problem(graph, width, mode);
        const Buffer<float> forward = problem.cuda();
        emu::Block::instance().reverse = true;
        const Buffer<float> backward = problem.cuda();
        emu::Block::instance().reverse = false;
        CHECK_TEXT(forward == backward, graph.name + " " + mode.name);
      }
    }
  }
}

// Steps past the end of a row load its last edge again: an Inf there must stay an Inf.
template <typename T>
void keep_infinities(int64_t width, int64_t degree) {
  const check::Context context(std::string(Type<T>::name) + " F=" + std::to_string(width) +
                               " degree=" + std::to_string(degree));
  Graph graph{"path", 1, degree, {0, degree}, {}};
  for (int64_t e = 0; e < degree; ++e) graph.col.push_back(e);
  const Csr<int32_t> csr(graph, false);
  Buffer<T> x(degree * width);
  Buffer<T> y(width);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = from_double<T>(1);
  const double last[] = {kInf, -kInf, kNaN, 1};
  for (int64_t f = 0; f < width; ++f) x[(degree - 1) * width + f] = from_double<T>(last[f % 4]);
  sgnn::SpmmArgs args;
  args.csr = csr.arg;
  args.dtype = Type<T>::dtype;
  args.out_dtype = args.dtype;
  args.width = width;
  args.x = x.data();
  args.x_stride = width;
  args.y = y.data();
  CHECK(sgnn::spmm_cuda(args, nullptr, nullptr) == nullptr);
  for (int64_t f = 0; f < width; ++f) {
    const double expected = f % 4 == 3 ? static_cast<double>(degree) : last[f % 4];
    CHECK(close(to_double(y[f]), expected, 0, 0));
  }
}

SGNN_TEST(spmm_keeps_infinities_of_the_last_edge) {
  for (const int64_t width : {1, 4, 16, 19, 128}) {
    for (const int64_t degree : {1, 2, 3, 5, 6, 33}) {
      keep_infinities<float>(width, degree);
      keep_infinities<double>(width, degree);
      keep_infinities<BFloat16>(width, degree);
    }
  }
}

}  // namespace
}  // namespace test

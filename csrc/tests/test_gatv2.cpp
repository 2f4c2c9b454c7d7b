// Emulated GATv2 attention and its gradients against their definition in fp64 and the CPU kernels.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "gatv2_case.h"
#include "spmm_split.cuh"

namespace test {
namespace {

const GatMode kModes[] = {
    {.name = "one head"},
    {.name = "heads+edge_id", .heads = 4, .edge_id = true},
    {.name = "misaligned", .heads = 2, .slope = 1.0, .offset = 1},
    {.name = "dropout+bits", .heads = 3, .bits = true, .threshold = 40000},
    {.name = "all",
     .heads = 3,
     .bits = true,
     .edge_id = true,
     .poison = true,
     .threshold = 50000,
     .slope = -0.1},
};
const GatMode& kAll = kModes[4];

template <typename T>
struct Results {
  using Acc = acc_t<T>;
  Buffer<T> y;
  Buffer<Acc> row_max, inv_sum;
  Buffer<T> grad_x, grad_dst;
  Buffer<Acc> grad_att;

  template <typename Case>
  explicit Results(const Case& problem)
      : y(problem.y.value.size(), problem.mode.offset),
        row_max(problem.row_max.value.size()),
        inv_sum(problem.inv_sum.value.size()),
        grad_x(problem.grad_x.value.size(), problem.mode.offset),
        grad_dst(problem.grad_dst.value.size(), problem.mode.offset),
        grad_att(problem.grad_att.value.size()) {}

  bool operator==(const Results& other) const {
    return y == other.y && row_max == other.row_max && inv_sum == other.inv_sum &&
           grad_x == other.grad_x && grad_dst == other.grad_dst && grad_att == other.grad_att;
  }
};

template <typename Case>
void fill_inputs(Case& problem, sgnn::Gatv2Inputs& args) {
  args.csr = problem.csr.arg;
  args.dtype = Type<std::decay_t<decltype(problem.x[0])>>::dtype;
  args.heads = problem.mode.heads;
  args.width = problem.width;
  args.x = problem.x.data();
  args.bits = problem.mode.bits ? problem.bits.data() : nullptr;
  args.negative_slope = problem.mode.slope;
  args.dropout_threshold = problem.mode.threshold;
  args.seed = problem.mode.threshold == sgnn::kKeepAll ? nullptr : &problem.seed;
  args.x_dst = problem.x_dst.data();
  args.att = problem.att.data();
}

template <typename Case, typename T>
sgnn::Gatv2Args forward_args(Case& problem, Results<T>& out) {
  sgnn::Gatv2Args args;
  fill_inputs(problem, args);
  args.y = out.y.data();
  args.row_max = out.row_max.data();
  args.inv_sum = out.inv_sum.data();
  return args;
}

template <typename Case, typename T>
sgnn::Gatv2GradArgs backward_args(Case& problem, Results<T>& out, void* stats) {
  sgnn::Gatv2GradArgs args;
  fill_inputs(problem, args);
  args.grad = problem.grad.data();
  args.y = out.y.data();
  args.row_max = out.row_max.data();
  args.inv_sum = out.inv_sum.data();
  args.target_stats = stats;
  args.grad_x = out.grad_x.data();
  args.grad_dst = out.grad_dst.data();
  return args;
}

template <typename T, typename Case>
Results<T> on_cuda(Case& problem) {
  Results<T> out(problem);
  Buffer<acc_t<T>> stats(3 * problem.row_max.value.size());
  const sgnn::Gatv2Args forward = forward_args(problem, out);
  Buffer<double> space(sgnn::gatv2_workspace(forward) / 8 + 1);
  CHECK(sgnn::gatv2_cuda(forward, space.data(), nullptr) == nullptr);
  const sgnn::Gatv2GradArgs backward = backward_args(problem, out, stats.data());
  Buffer<double> grad_space(sgnn::gatv2_grad_workspace(backward) / 8 + 1);
  CHECK(sgnn::gatv2_grad_cuda(backward, problem.transposed.arg, out.grad_att.data(),
                              grad_space.data(), nullptr) == nullptr);
  return out;
}

template <typename T, typename Case>
Results<T> on_cpu(Case& problem) {
  Results<T> out(problem);
  Buffer<acc_t<T>> stats(3 * problem.row_max.value.size());
  sgnn::gatv2_cpu(forward_args(problem, out), 0, problem.graph.num_rows);
  sgnn::Gatv2GradArgs backward = backward_args(problem, out, stats.data());
  sgnn::gatv2_grad_targets_cpu(backward, 0, problem.graph.num_rows, out.grad_att.data());
  backward.csr = problem.transposed.arg;
  sgnn::gatv2_grad_sources_cpu(backward, 0, problem.graph.num_cols);
  return out;
}

template <typename T, typename Case>
void check_results(const char* where, const Case& problem, const Results<T>& out) {
  const check::Context context(where);
  const double storage = Type<T>::tolerance;
  const double exact = Type<acc_t<T>>::tolerance;
  check_result("y", out.y, problem.y, storage);
  check_result("row_max", out.row_max, problem.row_max, exact);
  check_result("inv_sum", out.inv_sum, problem.inv_sum, exact);
  check_result("grad_x", out.grad_x, problem.grad_x, storage);
  check_result("grad_dst", out.grad_dst, problem.grad_dst, storage);
  check_result("grad_att", out.grad_att, problem.grad_att, storage);
}

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const GatMode& mode) {
  const check::Context context(graph.name + " D=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  Gatv2Case<T, Index> problem(graph, width, mode);
  const Results<T> emulated = on_cuda<T>(problem);
  check_results("emulated", problem, emulated);
  check_results("on the CPU", problem, on_cpu<T>(problem));
  emu::Block::instance().reverse = true;
  CHECK(emulated == on_cuda<T>(problem));
  emu::Block::instance().reverse = false;
}

SGNN_TEST(gatv2_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const GatMode& mode : kModes) {
      compare<float, int32_t>(graph, 8, mode);
      compare<double, int64_t>(graph, 4, mode);
      compare<BFloat16, int64_t>(graph, 16, mode);
    }
    compare<Half, int32_t>(graph, 8, kAll);
  }
}

SGNN_TEST(gatv2_widths) {
  const Graph graph = draw("some", 23, {0, 1, 5, 31, 33, 70}, 3);
  for (const int64_t width : {0, 1, 3, 16, 33, 128, 300, 512}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kAll);
    });
  }
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(gatv2_of_hub_targets) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph aligned = draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk}, 1);
  const Graph behind = draw("behind", 50, {1, kHub, kHub, 0, kHub + kChunk - 4, 2}, 2);
  compare<float, int32_t>(aligned, 8, kAll);
  compare<float, int64_t>(behind, 8, kModes[1]);
  compare<double, int32_t>(behind, 5, kModes[0]);
  compare<BFloat16, int32_t>(behind, 300, kModes[2]);
}

SGNN_TEST(gatv2_of_hub_sources) {
  const Graph graph = draw("hub sources", 3, std::vector<int64_t>(300, 20), 4);
  compare<float, int32_t>(graph, 8, kModes[1]);
  compare<double, int64_t>(graph, 140, kAll);
  compare<BFloat16, int32_t>(graph, 7, kModes[3]);
}

SGNN_TEST(gatv2_of_a_hub_without_a_workspace) {
  const Graph graph = draw("hub", 2, {3, 3000, 0}, 5);
  Gatv2Case<float, int32_t> problem(graph, 8, kModes[1]);
  Results<float> out(problem);
  CHECK(sgnn::gatv2_cuda(forward_args(problem, out), nullptr, nullptr) == nullptr);
  check_result("y", out.y, problem.y, Type<float>::tolerance);
}

// One target whose scores are all -inf, one with +inf and one with NaN among them.
SGNN_TEST(gatv2_of_scores_without_a_softmax) {
  for (const int64_t degree : {3, 40, 1500}) {
    const Graph graph = draw("row", 1, {degree}, 6);
    for (const double feature : {-kInf, kInf, kNaN}) {
      Gatv2Case<float, int32_t> problem(graph, 4, kModes[0]);
      problem.x[0] = static_cast<float>(feature);
      problem.att[0] = 1;
      const Results<float> out = on_cuda<float>(problem);
      for (int64_t d = 0; d < 4; ++d) CHECK(std::isnan(out.y[d]));
      for (int64_t d = 0; d < 4; ++d) CHECK(std::isnan(on_cpu<float>(problem).y[d]));
    }
  }
}

}  // namespace
}  // namespace test

// Emulated graph attention and its gradients against their definition in fp64 and the CPU kernels.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "gat_case.h"
#include "spmm_split.cuh"

namespace test {
namespace {

const GatMode kModes[] = {
    {.name = "one head"},
    {.name = "edge_score+edge_id", .heads = 4, .edge_id = true, .edge_score = true},
    {.name = "no positive", .heads = 2, .positive = false},
    {.name = "no positive+misaligned", .heads = 2, .positive = false, .offset = 1},
    {.name = "dropout+bits", .heads = 3, .bits = true, .threshold = 40000},
    {.name = "all",
     .heads = 3,
     .bits = true,
     .edge_id = true,
     .edge_score = true,
     .poison = true,
     .threshold = 50000,
     .slope = -0.1},
};
const GatMode& kAll = kModes[5];

template <typename T>
struct Results {
  using Acc = acc_t<T>;
  Buffer<T> y, positive;
  Buffer<Acc> row_max, inv_sum, positive_weight;
  Buffer<T> grad_x;
  Buffer<Acc> grad_dst, grad_src, grad_score;

  template <typename Case>
  explicit Results(const Case& problem)
      : y(problem.y.value.size(), problem.mode.offset),
        positive(problem.positive.value.size(), problem.mode.offset),
        row_max(problem.row_max.value.size()),
        inv_sum(problem.inv_sum.value.size()),
        positive_weight(problem.positive_weight.value.size()),
        grad_x(problem.grad_x.value.size(), problem.mode.offset),
        grad_dst(problem.grad_dst.value.size()),
        grad_src(problem.grad_src.value.size()),
        grad_score(problem.grad_score.value.size()) {}

  bool operator==(const Results& other) const {
    return y == other.y && positive == other.positive && row_max == other.row_max &&
           inv_sum == other.inv_sum && positive_weight == other.positive_weight &&
           grad_x == other.grad_x && grad_dst == other.grad_dst && grad_src == other.grad_src &&
           grad_score == other.grad_score;
  }
};

template <typename Case>
void fill_inputs(Case& problem, const sgnn::CsrArg& csr, sgnn::GatInputs& args) {
  args.csr = csr;
  args.dtype = Type<std::decay_t<decltype(problem.x[0])>>::dtype;
  args.heads = problem.mode.heads;
  args.width = problem.width;
  args.x = problem.x.data();
  args.bits = problem.mode.bits ? problem.bits.data() : nullptr;
  args.negative_slope = problem.mode.slope;
  args.dropout_threshold = problem.mode.threshold;
  args.seed = problem.mode.threshold == sgnn::kKeepAll ? nullptr : &problem.seed;
  args.s_src = problem.s_src.data();
  args.edge_score = problem.mode.edge_score ? problem.edge_score.data() : nullptr;
}

template <typename Case, typename T>
sgnn::GatArgs forward_args(Case& problem, Results<T>& out) {
  sgnn::GatArgs args;
  fill_inputs(problem, problem.csr.arg, args);
  args.s_dst = problem.s_dst.data();
  args.y = out.y.data();
  args.row_max = out.row_max.data();
  args.inv_sum = out.inv_sum.data();
  if (!problem.mode.positive) return args;
  args.positive = out.positive.data();
  args.positive_weight = out.positive_weight.data();
  return args;
}

template <typename Case, typename T>
sgnn::GatTargetsArgs targets_args(Case& problem, Results<T>& out, void* stats) {
  const sgnn::GatArgs forward = forward_args(problem, out);
  sgnn::GatTargetsArgs args;
  args.dtype = forward.dtype;
  args.targets = problem.graph.num_rows;
  args.heads = forward.heads;
  args.width = forward.width;
  args.negative_slope = forward.negative_slope;
  args.grad = problem.grad.data();
  args.s_dst = forward.s_dst;
  args.y = forward.y;
  args.row_max = forward.row_max;
  args.inv_sum = forward.inv_sum;
  args.positive = forward.positive;
  args.positive_weight = forward.positive_weight;
  args.target_stats = stats;
  args.grad_dst = out.grad_dst.data();
  return args;
}

template <typename Case, typename T>
sgnn::GatGradArgs backward_args(Case& problem, Results<T>& out, const void* stats) {
  sgnn::GatGradArgs args;
  fill_inputs(problem, problem.transposed.arg, args);
  args.grad = problem.grad.data();
  args.target_stats = stats;
  args.grad_x = out.grad_x.data();
  args.grad_src = out.grad_src.data();
  args.grad_score = problem.mode.edge_score ? out.grad_score.data() : nullptr;
  return args;
}

template <typename T, typename Case>
Results<T> on_cuda(Case& problem, bool with_workspace = true) {
  Results<T> out(problem);
  Buffer<acc_t<T>> stats(4 * problem.s_dst.size());
  const sgnn::GatArgs forward = forward_args(problem, out);
  Buffer<double> space(sgnn::gat_workspace(forward) / 8 + 1);
  CHECK(sgnn::gat_cuda(forward, with_workspace ? space.data() : nullptr, nullptr) == nullptr);
  CHECK(sgnn::gat_grad_targets_cuda(targets_args(problem, out, stats.data()), nullptr) == nullptr);
  const sgnn::GatGradArgs backward = backward_args(problem, out, stats.data());
  Buffer<double> grad_space(sgnn::gat_grad_workspace(backward) / 8 + 1);
  CHECK(sgnn::gat_grad_cuda(backward, with_workspace ? grad_space.data() : nullptr, nullptr) ==
        nullptr);
  return out;
}

template <typename T, typename Case>
Results<T> on_cpu(Case& problem) {
  Results<T> out(problem);
  Buffer<acc_t<T>> stats(4 * problem.s_dst.size());
  sgnn::gat_cpu(forward_args(problem, out), 0, problem.graph.num_rows);
  sgnn::gat_grad_targets_cpu(targets_args(problem, out, stats.data()), 0, problem.graph.num_rows);
  sgnn::gat_grad_cpu(backward_args(problem, out, stats.data()), 0, problem.graph.num_cols);
  return out;
}

template <typename T, typename Case>
void check_results(const char* where, const Case& problem, const Results<T>& out) {
  const check::Context context(where);
  const double storage = Type<T>::tolerance;
  const double exact = Type<acc_t<T>>::tolerance;
  check_result("y", out.y, problem.y, storage);
  check_result("positive", out.positive, problem.positive, storage);
  check_result("row_max", out.row_max, problem.row_max, exact);
  check_result("inv_sum", out.inv_sum, problem.inv_sum, exact);
  check_result("positive_weight", out.positive_weight, problem.positive_weight, exact);
  check_result("grad_x", out.grad_x, problem.grad_x, storage);
  check_result("grad_dst", out.grad_dst, problem.grad_dst, storage);
  check_result("grad_src", out.grad_src, problem.grad_src, storage);
  check_result("grad_score", out.grad_score, problem.grad_score, storage);
}

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const GatMode& mode) {
  const check::Context context(graph.name + " D=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  GatCase<T, Index> problem(graph, width, mode);
  const Results<T> emulated = on_cuda<T>(problem);
  check_results("emulated", problem, emulated);
  check_results("on the CPU", problem, on_cpu<T>(problem));
  emu::Block::instance().reverse = true;
  CHECK(emulated == on_cuda<T>(problem));
  emu::Block::instance().reverse = false;
}

SGNN_TEST(gat_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const GatMode& mode : kModes) {
      compare<float, int32_t>(graph, 8, mode);
      compare<double, int64_t>(graph, 4, mode);
      compare<BFloat16, int64_t>(graph, 16, mode);
    }
    compare<Half, int32_t>(graph, 8, kAll);
  }
}

SGNN_TEST(gat_widths) {
  const Graph graph = draw("some", 23, {0, 1, 5, 31, 33, 70}, 3);
  for (const int64_t width : {0, 1, 3, 16, 33, 128, 300}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kAll);
    });
  }
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(gat_of_hub_targets) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph aligned = draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk}, 1);
  const Graph behind = draw("behind", 50, {1, kHub, kHub, 0, kHub + kChunk - 4, 2}, 2);
  compare<float, int32_t>(aligned, 8, kAll);
  compare<float, int64_t>(behind, 8, kModes[1]);
  compare<double, int32_t>(behind, 5, kModes[0]);
  compare<BFloat16, int32_t>(behind, 300, kModes[3]);
  compare<float, int32_t>(behind, 4, kModes[2]);
}

SGNN_TEST(gat_of_hub_sources) {
  const Graph graph = draw("hub sources", 3, std::vector<int64_t>(300, 20), 4);
  compare<float, int32_t>(graph, 8, kModes[1]);
  compare<double, int64_t>(graph, 140, kAll);
  compare<BFloat16, int32_t>(graph, 7, kModes[4]);
  compare<float, int32_t>(graph, 0, kModes[1]);
}

SGNN_TEST(gat_of_a_hub_without_a_workspace) {
  const Graph graph = draw("hub", 2, {3, 3000, 0}, 5);
  GatCase<float, int32_t> problem(graph, 8, kModes[1]);
  check_results("whole", problem, on_cuda<float>(problem, false));
}

// One target whose scores are all -inf, one with +inf and one with NaN among them.
SGNN_TEST(gat_of_scores_without_a_softmax) {
  for (const int64_t degree : {3, 40, 1500}) {
    const Graph graph = draw("row", 1, {degree}, 6);
    for (const double score : {-kInf, kInf, kNaN}) {
      GatCase<float, int32_t> problem(graph, 4, kModes[0]);
      problem.s_src[0] = static_cast<float>(score);
      const Results<float> out = on_cuda<float>(problem);
      for (int64_t d = 0; d < 4; ++d) CHECK(std::isnan(out.y[d]));
      for (int64_t d = 0; d < 4; ++d) CHECK(std::isnan(on_cpu<float>(problem).y[d]));
    }
  }
}

}  // namespace
}  // namespace test

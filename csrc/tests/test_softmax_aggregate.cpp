// Emulated softmax aggregation and its gradients against their definitions in fp64 and against the
// CPU kernels.
#include "emu/block.h"
#include "softmax_aggregate_case.h"
#include "spmm_split.cuh"

namespace test {
namespace {

const SoftmaxMode kModes[] = {
    {.name = "plain"},
    {.name = "relu+edge_id", .relu = true, .edge_id = true},
    {.name = "bits, results alone", .bits = true, .extra = false},
    {.name = "odd stride", .relu = true, .pad = 3},
    {.name = "misaligned", .offset = 1},
    {.name = "all", .relu = true, .bits = true, .edge_id = true, .poison = true, .pad = 8},
};
const SoftmaxMode& kAll = kModes[5];

// Exponents up to 6, whose rounding is that of the logarithms and weights.
constexpr double kFactor = 4;

template <typename Problem>
void check_order(Problem& problem, const typename Problem::Result& expected) {
  emu::Block::instance().reverse = true;
  CHECK(expected == problem.cuda());
  emu::Block::instance().reverse = false;
}

template <typename T>
void check_close(const Buffer<T>& got, const Buffer<double>& expected,
                 const Buffer<double>& magnitude, const char* name) {
  if (got.size() == 0) return;
  const double tolerance = kFactor * Type<T>::tolerance;
  const std::string wrong = difference(got, expected, magnitude, tolerance);
  CHECK_TEXT(wrong.empty(), name + (": " + wrong));
}

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const SoftmaxMode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  SoftmaxForward<T, Index> forward(graph, width, mode);
  Buffer<double> one(forward.y.size());
  for (int64_t i = 0; i < one.size(); ++i) one[i] = 1;
  const typename SoftmaxForward<T, Index>::Result results[] = {forward.cuda(), forward.cpu()};
  for (const auto& result : results) {
    check_close(result.y, forward.y, one, "y");
    check_close(result.log_sum, forward.log_sum_for(result.y), one, "log_sum");
  }
  check_order(forward, results[0]);
  SoftmaxBackward<T, Index> backward(graph, width, mode);
  const typename SoftmaxBackward<T, Index>::Result grads[] = {backward.cuda(), backward.cpu()};
  for (const auto& result : grads) {
    check_close(result.dx, backward.dx, backward.dx_magnitude, "dx");
    check_close(result.dt, backward.dt, backward.dt_magnitude, "dt");
  }
  check_order(backward, grads[0]);
}

SGNN_TEST(softmax_aggregate_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const SoftmaxMode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 24, mode);
      });
    }
  }
}

SGNN_TEST(softmax_aggregate_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {0, 1, 3, 7, 8, 31, 33, 128, 257, 600}) {
    for_each_type([&](auto value, auto index) {
      compare<decltype(value), decltype(index)>(graph, width, kAll);
    });
    compare<float, int32_t>(graph, width, kModes[4]);
  }
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(softmax_aggregate_hubs_at_chunk_boundaries) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph graphs[] = {draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk, kHub}, 1),
                          draw("behind", 50, {1, kHub, kHub, 0, 0, kHub + kChunk - 4, 2}, 2),
                          draw("first and last", 50, {kHub, 3, kHub}, 4),
                          draw("one row", 50, {7 * kChunk + 3}, 5)};
  for (const Graph& graph : graphs) {
    compare<float, int32_t>(graph, 5, kAll);
    compare<float, int64_t>(graph, 3, kModes[1]);
    compare<BFloat16, int32_t>(graph, 16, kModes[2]);
    compare<double, int32_t>(graph, 11, kModes[3]);
  }
  compare<float, int64_t>(graphs[2], 136, kModes[1]);
}

// Launches that must do without the split.
SGNN_TEST(softmax_aggregate_of_a_hub_without_a_workspace) {
  const Graph graph = draw("hub", 60, {2, 4000, 0, 3}, 9);
  SoftmaxForward<float, int32_t> forward(graph, 4, kModes[1]);
  Buffer<double> one(forward.y.size());
  for (int64_t i = 0; i < one.size(); ++i) one[i] = 1;
  check_close(forward.cuda(false).y, forward.y, one, "y");
  SoftmaxBackward<float, int32_t> backward(graph, 4, kModes[2]);
  check_close(backward.cuda(false).dx, backward.dx, backward.dx_magnitude, "dx");
}

// Chunks of a hub whose kept edges are all in others, and maxima far apart between them.
SGNN_TEST(softmax_aggregate_of_a_hub_with_empty_chunks) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  Graph graph = draw("empty chunks", 2, {6 * kChunk}, 3);
  for (int64_t e = 0; e < graph.nnz(); ++e) graph.col[e] = e / (2 * kChunk) == 1 ? 0 : 1;
  compare<float, int32_t>(graph, 6, {.name = "poison", .bits = true, .poison = true});
  compare<double, int32_t>(graph, 6,
                           {.name = "poison", .relu = true, .bits = true, .poison = true});
}

}  // namespace
}  // namespace test

// Rows of many edges beside empty and short ones.
#include <string>

#include "check.h"
#include "spmm_case.h"
#include "spmm_split.cuh"

namespace test {
namespace {

const SpmmMode kHubMode = {.name = "weighted mean of kept edges",
                           .weight = true,
                           .bits = true,
                           .edge_id = true,
                           .mean = true,
                           .poison = true};

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width) {
  const check::Context context("F=" + std::to_string(width) + " " + Type<T>::name);
  SpmmCase<T, Index> problem(graph, width, kHubMode);
  const Buffer<T> forward = problem.cuda();
  const std::string wrong =
      difference(forward, problem.expected, problem.magnitude, Type<T>::tolerance);
  CHECK_TEXT(wrong.empty(), wrong);
  const std::string apart =
      difference(forward, problem.cpu(), problem.magnitude, 2 * Type<T>::tolerance);
  CHECK_TEXT(apart.empty(), apart);
  emu::Block::instance().reverse = true;
  CHECK(forward == problem.cuda());
  emu::Block::instance().reverse = false;
}

SGNN_TEST(spmm_hub_row_is_correct_and_repeatable) {
  compare<float, int32_t>(hub(), 1);
  compare<float, int64_t>(hub(), 33);
  compare<double, int32_t>(hub(), 16);
  compare<Half, int32_t>(hub(), 8);
  compare<BFloat16, int64_t>(hub(), 64);
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(spmm_hubs_at_chunk_boundaries) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph graphs[] = {
      draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk, kHub}, 1),
      draw("behind", 50, {1, kHub, kHub, 0, 0, kHub + kChunk - 4, 2}, 2),
      draw("before", 50, {kChunk - 1, kHub, 0, kHub + 7, kChunk, 5 * kChunk}, 3),
      draw("first and last", 50, {kHub, 3, kHub}, 4), draw("one row", 50, {7 * kChunk + 3}, 5)};
  for (const Graph& graph : graphs) {
    const check::Context context(graph.name);
    compare<float, int32_t>(graph, 5);
    compare<float, int64_t>(graph, 300);
    compare<BFloat16, int32_t>(graph, 16);
  }
}

SGNN_TEST(spmm_of_a_hub_without_a_workspace) {
  SpmmCase<float, int32_t> problem(hub(), 4, kHubMode);
  const std::string wrong =
      difference(problem.cuda(false), problem.expected, problem.magnitude, Type<float>::tolerance);
  CHECK_TEXT(wrong.empty(), wrong);
}

SGNN_TEST(spmm_chunks_bound_the_workspace) {
  using sgnn::chunk_count;
  using sgnn::chunk_edges;
  using sgnn::kMaxChunks;
  using sgnn::kMinChunk;
  CHECK(chunk_count(0) == 0);
  CHECK(chunk_count(2 * kMinChunk) == 0);
  CHECK(chunk_count(2 * kMinChunk + 1) == 3);
  for (const int64_t nnz :
       {int64_t{1} << 20, int64_t{1} << 26, (int64_t{1} << 26) + 1, int64_t{3} << 40}) {
    CHECK(chunk_count(nnz) <= kMaxChunks);
    CHECK(chunk_count(nnz) * chunk_edges(nnz) >= nnz);
  }
  CHECK(chunk_edges(int64_t{1} << 26) == kMinChunk);
  CHECK(chunk_edges((int64_t{1} << 26) + 1) == 2 * kMinChunk);
}

}  // namespace
}  // namespace test

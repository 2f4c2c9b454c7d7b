// The emulated random walks against the CPU walks, and both against the graph.
#include <string>
#include <vector>

#include "check.h"
#include "sgnn/random_walk.h"
#include "values.h"

namespace test {
namespace {

template <typename Index>
struct Walked {
  Walked(int64_t count, int64_t length) : nodes(count * (length + 1)), edges(count * length) {}
  Buffer<int64_t> nodes, edges;
};

template <typename Index>
void compare(int64_t num_nodes, int64_t length, bool timed, bool strict) {
  const check::Context context("nodes=" + std::to_string(num_nodes) +
                               " strict=" + std::to_string(strict));
  Random random(static_cast<uint64_t>(num_nodes));
  std::vector<Index> rowptr = {0}, col, edge_id;
  std::vector<int64_t> time;
  for (int64_t i = 0; i < num_nodes; ++i) {
    int64_t clock = 0;
    for (int64_t d = random.below(6); d > 0; --d) {
      col.push_back(static_cast<Index>(random.below(num_nodes)));
      time.push_back(clock += random.below(3));
    }
    rowptr.push_back(static_cast<Index>(col.size()));
  }
  const auto nnz = static_cast<int64_t>(col.size());
  for (int64_t e = 0; e < nnz; ++e) edge_id.push_back(static_cast<Index>(nnz - 1 - e));
  const int64_t count = 300;
  std::vector<int64_t> start, start_time;
  for (int64_t w = 0; w < count; ++w) {
    start.push_back(w == 7 ? num_nodes : random.below(num_nodes));
    start_time.push_back(random.below(6));
  }
  sgnn::RandomWalkArgs args;
  args.csr = {num_nodes,      num_nodes,        nnz, rowptr.data(), col.data(),
              edge_id.data(), kIndexType<Index>};
  args.time = timed ? time.data() : nullptr;
  args.strict = strict;
  args.num_walks = count;
  args.length = length;
  args.seed = 5;
  args.start = start.data();
  args.start_time = timed ? start_time.data() : nullptr;
  Walked<Index> cpu(count, length), cuda(count, length);
  args.nodes = cpu.nodes.data();
  args.edges = cpu.edges.data();
  sgnn::random_walk_cpu(args, 0, 100);
  sgnn::random_walk_cpu(args, 100, count);
  args.nodes = cuda.nodes.data();
  args.edges = cuda.edges.data();
  CHECK(sgnn::random_walk_cuda(args, nullptr) == nullptr);
  CHECK(cpu.nodes == cuda.nodes);
  CHECK(cpu.edges == cuda.edges);
  for (int64_t i = 0; i < count * length; ++i) {
    const int64_t at = i / length * (length + 1) + i % length;
    if (cpu.edges[i] < 0) {
      CHECK(cpu.nodes[at + 1] == -1);
      continue;
    }
    const int64_t position = nnz - 1 - cpu.edges[i];
    const int64_t node = cpu.nodes[at];
    CHECK(rowptr[node] <= position && position < rowptr[node + 1]);
    CHECK(col[position] == cpu.nodes[at + 1]);
  }
}

SGNN_TEST(random_walks_on_both_devices) {
  for (const bool timed : {false, true}) {
    for (const bool strict : {false, true}) {
      compare<int32_t>(40, 9, timed, strict);
      compare<int64_t>(7, 3, timed, strict);
      compare<int32_t>(1, 2, timed, strict);
      compare<int64_t>(20, 0, timed, strict);
    }
  }
}

}  // namespace
}  // namespace test

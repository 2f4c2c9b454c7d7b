// The emulated random walks against the CPU walks, and both against the graph.
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "sgnn/random_walk.h"
#include "sgnn/walk_weights.h"
#include "values.h"

namespace test {
namespace {

template <typename Index>
struct Walked {
  Walked(int64_t count, int64_t length) : nodes(count * (length + 1)), edges(count * length) {}
  Buffer<int64_t> nodes, edges;
};

// The sums of the weights from a position to the end of its row, on both devices and one by one.
struct Sums {
  Sums(const sgnn::CsrArg& csr, const std::vector<double>& weight) : on_cpu(csr.nnz) {
    Buffer<double> on_cuda(csr.nnz);
    sgnn::WalkWeightsArgs args = {csr, weight.data(), on_cpu.data()};
    sgnn::walk_weights_cpu(args, 0, csr.num_rows / 2);
    sgnn::walk_weights_cpu(args, csr.num_rows / 2, csr.num_rows);
    args.sum = on_cuda.data();
    CHECK(sgnn::walk_weights_cuda(args, nullptr) == nullptr);
    CHECK(on_cpu == on_cuda);
  }

  Buffer<double> on_cpu;
};

// NaN compares as other than itself, so the poisoned sums are looked at one by one.
SGNN_TEST(bad_weights_spoil_the_sums_before_them) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {-1.0, infinity, std::numeric_limits<double>::quiet_NaN()}) {
    const std::vector<int32_t> rowptr = {0, 40, 42}, col(42);
    std::vector<double> weight(42, 0.25);
    weight[7] = bad;
    Buffer<double> on_cpu(42), on_cuda(42);
    const sgnn::CsrArg csr = {2, 42, 42, rowptr.data(), col.data(), nullptr, kIndexType<int32_t>};
    sgnn::walk_weights_cpu({csr, weight.data(), on_cpu.data()}, 0, 2);
    CHECK(sgnn::walk_weights_cuda({csr, weight.data(), on_cuda.data()}, nullptr) == nullptr);
    for (int64_t i = 0; i < 42; ++i) {
      CHECK((on_cpu[i] != on_cpu[i]) == (i <= 7));
      CHECK((on_cuda[i] != on_cuda[i]) == (i <= 7));
      if (i > 7) CHECK(on_cpu[i] == 0.25 * static_cast<double>(i < 40 ? 40 - i : 42 - i));
    }
    const int64_t start[] = {0, 1};
    int64_t nodes[4];
    sgnn::RandomWalkArgs args;
    args.csr = csr;
    args.weight_sum = on_cpu.data();
    args.num_walks = 2;
    args.length = 1;
    args.start = start;
    args.nodes = nodes;
    sgnn::random_walk_cpu(args, 0, 2);
    CHECK(nodes[1] == -1 && nodes[3] == 0);
    CHECK(sgnn::random_walk_cuda(args, nullptr) == nullptr);
    CHECK(nodes[1] == -1 && nodes[3] == 0);
  }
}

template <typename Index>
void compare(int64_t num_nodes, int64_t length, bool timed, bool strict, bool weighted) {
  const check::Context context(
      "nodes=" + std::to_string(num_nodes) + " timed=" + std::to_string(timed) +
      " strict=" + std::to_string(strict) + " weighted=" + std::to_string(weighted));
  Random random(static_cast<uint64_t>(num_nodes));
  std::vector<Index> rowptr = {0}, col, edge_id;
  std::vector<int64_t> time;
  std::vector<double> weight;
  for (int64_t i = 0; i < num_nodes; ++i) {
    int64_t clock = 0;
    for (int64_t d = i == 3 ? 90 : random.below(6); d > 0; --d) {
      col.push_back(static_cast<Index>(random.below(num_nodes)));
      time.push_back(clock += random.below(3));
      weight.push_back(0.1 * static_cast<double>(random.below(4)));
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
  const Sums sums(args.csr, weight);
  args.weight_sum = weighted ? sums.on_cpu.data() : nullptr;
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
    if (weighted) CHECK(weight[cpu.edges[i]] > 0.0);
  }
}

SGNN_TEST(random_walks_on_both_devices) {
  for (const bool timed : {false, true}) {
    for (const bool strict : {false, true}) {
      for (const bool weighted : {false, true}) {
        compare<int32_t>(40, 9, timed, strict, weighted);
        compare<int64_t>(7, 3, timed, strict, weighted);
        compare<int32_t>(1, 2, timed, strict, weighted);
        compare<int64_t>(20, 0, timed, strict, weighted);
      }
    }
  }
}

}  // namespace
}  // namespace test

// Graphs that break kernels: no rows, no edges, one node, empty rows, a hub, self loops, repeated
// edges, rectangles.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sgnn/csr.h"
#include "values.h"

namespace test {

struct Graph {
  std::string name;
  int64_t num_rows = 0;
  int64_t num_cols = 0;
  std::vector<int64_t> rowptr = {0};
  std::vector<int64_t> col;
  int64_t nnz() const { return static_cast<int64_t>(col.size()); }
};

// Row i gets degrees[i] columns, in the order drawn.
inline Graph draw(std::string name, int64_t num_cols, const std::vector<int64_t>& degrees,
                  uint64_t seed) {
  Graph graph{std::move(name), static_cast<int64_t>(degrees.size()), num_cols, {0}, {}};
  Random random(seed);
  for (const int64_t degree : degrees) {
    for (int64_t e = 0; e < degree; ++e) graph.col.push_back(random.below(num_cols));
    graph.rowptr.push_back(graph.nnz());
  }
  return graph;
}

inline Graph self_loops() {
  Graph graph{"self-loops", 3, 3, {0, 2, 3, 5}, {0, 0, 1, 2, 2}};
  return graph;
}

// Row lengths around every boundary of the kernels: 1, a lane group, a warp's 32 positions.
inline Graph mixed() {
  return draw("mixed", 23, {0, 1, 2, 3, 5, 0, 8, 31, 32, 33, 0, 4, 64, 70, 1, 0}, 11);
}

inline std::vector<Graph> small_graphs() {
  return {Graph{"no-rows", 0, 4, {0}, {}},
          Graph{"one-node", 1, 1, {0, 0}, {}},
          Graph{"isolated", 5, 5, {0, 0, 0, 0, 0, 0}, {}},
          self_loops(),
          draw("multi-edges", 2, {6, 0, 3}, 5),
          draw("wide", 40, {3, 0, 7}, 6),
          draw("tall", 2, {1, 2, 0, 1, 3, 1, 1, 0, 2, 1}, 7),
          mixed()};
}

inline Graph hub() { return draw("hub", 300, {2, 70000, 0, 3}, 9); }

// Rows short enough on average that several share a warp; some longer ones and a hub among them.
inline Graph mostly_short() {
  std::vector<int64_t> degrees;
  for (int64_t row = 0; row < 150; ++row) degrees.push_back(row % 7);
  degrees[17] = 33;
  degrees[18] = 100;
  degrees[90] = 1100;
  degrees[149] = 32;
  return draw("mostly-short", 23, degrees, 12);
}

// A graph's arrays in one index type, with edge ids when asked for.
template <typename Index>
class Csr {
 public:
  Csr(const Graph& graph, bool with_edge_id)
      : rowptr_(graph.num_rows + 1), col_(graph.nnz()), edge_id_(with_edge_id ? graph.nnz() : 0) {
    for (int64_t i = 0; i <= graph.num_rows; ++i) rowptr_[i] = static_cast<Index>(graph.rowptr[i]);
    for (int64_t e = 0; e < graph.nnz(); ++e) col_[e] = static_cast<Index>(graph.col[e]);
    arg.num_rows = graph.num_rows;
    arg.num_cols = graph.num_cols;
    arg.nnz = graph.nnz();
    arg.rowptr = rowptr_.data();
    arg.col = col_.data();
    arg.index_type = kIndexType<Index>;
    if (!with_edge_id) return;
    shuffle();
    arg.edge_id = edge_id_.data();
  }

  int64_t id(int64_t position) const {
    return arg.edge_id == nullptr ? position : static_cast<int64_t>(edge_id_[position]);
  }

  sgnn::CsrArg arg;

 private:
  void shuffle() {
    Random random(77);
    for (int64_t e = 0; e < edge_id_.size(); ++e) edge_id_[e] = static_cast<Index>(e);
    for (int64_t e = edge_id_.size() - 1; e > 0; --e) {
      std::swap(edge_id_[e], edge_id_[random.below(e + 1)]);
    }
  }

  Buffer<Index> rowptr_;
  Buffer<Index> col_;
  Buffer<Index> edge_id_;
};

// The transpose of a graph; ids name the edges as `csr` does.
template <typename Index>
class TransposedCsr {
 public:
  TransposedCsr(const Graph& graph, const Csr<Index>& csr)
      : rowptr_(graph.num_cols + 1), col_(graph.nnz()), edge_id_(graph.nnz()) {
    std::vector<int64_t> next(static_cast<size_t>(graph.num_cols) + 1);
    for (const int64_t j : graph.col) ++next[static_cast<size_t>(j) + 1];
    for (size_t j = 1; j < next.size(); ++j) next[j] += next[j - 1];
    for (size_t j = 0; j < next.size(); ++j) {
      rowptr_[static_cast<int64_t>(j)] = static_cast<Index>(next[j]);
    }
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
        const int64_t place = next[graph.col[e]]++;
        col_[place] = static_cast<Index>(i);
        edge_id_[place] = static_cast<Index>(csr.id(e));
      }
    }
    arg = {graph.num_cols, graph.num_rows,  graph.nnz(),      rowptr_.data(),
           col_.data(),    edge_id_.data(), kIndexType<Index>};
  }

  sgnn::CsrArg arg;

 private:
  Buffer<Index> rowptr_;
  Buffer<Index> col_;
  Buffer<Index> edge_id_;
};

// Bits that keep the edges into even columns, and drop all others.
template <typename Index>
void keep_even_columns(const Graph& graph, const Csr<Index>& csr, Buffer<uint8_t>& bits) {
  memset(bits.data(), 0, static_cast<size_t>(bits.size()));
  for (int64_t e = 0; e < graph.nnz(); ++e) {
    const int64_t id = csr.id(e);
    if (graph.col[e] % 2 == 0) bits[id / 8] = static_cast<uint8_t>(bits[id / 8] | 1u << (id % 8));
  }
}

}  // namespace test

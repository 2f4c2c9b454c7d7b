// A problem of GATv2's attention: inputs, and every result by its definition in fp64.
#pragma once

#include <algorithm>
#include <vector>

#include "gat_case.h"
#include "sgnn/gatv2.h"

namespace test {

template <typename T, typename Index>
struct Gatv2Case {
  using Acc = acc_t<T>;

  Gatv2Case(const Graph& g, int64_t head_width, const GatMode& m)
      : graph(g),
        mode(m),
        width(head_width),
        csr(g, m.edge_id),
        transposed(g, csr),
        x(g.num_cols * m.heads * width, m.offset),
        x_dst(g.num_rows * m.heads * width, m.offset),
        grad(x_dst.size(), m.offset),
        att(m.heads * width),
        bits((g.nnz() + 7) / 8),
        y(x_dst.size()),
        row_max(g.num_rows * m.heads),
        inv_sum(row_max.value.size()),
        grad_x(x.size()),
        grad_dst(x_dst.size()),
        grad_att(att.size()) {
    for (auto* rows : {&x, &x_dst}) {
      for (int64_t i = 0; i < rows->size(); ++i) (*rows)[i] = eighths();
    }
    fill(random, grad, -1, 1);
    const double largest = 3.0 / static_cast<double>(width + 1);
    fill(random, att, -largest, largest);
    fill_bits(random, bits);
    if (mode.poison) drop_and_poison();
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t h = 0; h < mode.heads; ++h) define(i, h);
    }
  }

  // Sums of two are exact in every type: no rounding decides their sign.
  T eighths() { return from_double<T>(static_cast<double>(random.below(33) - 16) / 8); }

  bool kept(int64_t id) const { return !mode.bits || bit_of(bits, id); }

  void drop_and_poison() {
    const int64_t columns = mode.heads * width;
    for (int64_t j = 1; j < graph.num_cols; j += 2) {
      for (int64_t c = 0; c < columns; ++c) x[j * columns + c] = from_double<T>(kNaN);
    }
    keep_even_columns(graph, csr, bits);
  }

  struct Edge {
    int64_t source;  // where the row of the head begins
    double score;
    double alpha;
    double keep;
  };

  double leaky(double total) const { return total > 0 ? total : mode.slope * total; }

  // The kept edges of a target and head, with their weights.
  std::vector<Edge> edges_of(int64_t i, int64_t h) {
    const int64_t pair = i * mode.heads + h;
    std::vector<Edge> edges;
    double max = -kInf;
    for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
      const int64_t element = csr.id(e) * mode.heads + h;
      if (!kept(csr.id(e))) continue;
      const int64_t source = (graph.col[e] * mode.heads + h) * width;
      double score = 0;
      for (int64_t d = 0; d < width; ++d) {
        const double total = to_double(x_dst[pair * width + d]) + to_double(x[source + d]);
        score += to_double(att[h * width + d]) * leaky(total);
      }
      const bool keeps = mode.threshold == sgnn::kKeepAll ||
                         sgnn::dropout_keeps(static_cast<uint64_t>(seed), element, mode.threshold);
      edges.push_back({source, score, 0, keeps ? 65536.0 / mode.threshold : 0});
      max = std::max(max, score);
    }
    if (edges.empty()) return edges;
    double sum = 0;
    for (Edge& edge : edges) sum += edge.alpha = std::exp(edge.score - max);
    for (Edge& edge : edges) edge.alpha /= sum;
    row_max.add(pair, max, 6);
    inv_sum.add(pair, 1 / sum, 6);
    return edges;
  }

  // The definition in sgnn/gatv2.h for one target and head, derivatives edge by edge.
  void define(int64_t i, int64_t h) {
    const int64_t target = (i * mode.heads + h) * width;
    const std::vector<Edge> edges = edges_of(i, h);
    double delta = 0;
    double delta_size = 0;
    for (const Edge& edge : edges) {
      const double weight = edge.alpha * edge.keep;
      for (int64_t d = 0; d < width; ++d) {
        const double feature = to_double(x[edge.source + d]);
        const double upstream = to_double(grad[target + d]);
        y.add(target + d, weight * feature);
        grad_x.add(edge.source + d, weight * upstream);
        delta += weight * feature * upstream;
        delta_size += weight * std::fabs(feature * upstream);
      }
    }
    for (const Edge& edge : edges) {
      double dot = 0;
      double size = 0;
      for (int64_t d = 0; d < width; ++d) {
        const double product = to_double(x[edge.source + d]) * to_double(grad[target + d]);
        dot += edge.keep * product;
        size += edge.keep * std::fabs(product);
      }
      const double change = edge.alpha * (dot - delta);
      const double terms = 6 * edge.alpha * (size + delta_size);
      for (int64_t d = 0; d < width; ++d) {
        const double total = to_double(x_dst[target + d]) + to_double(x[edge.source + d]);
        const double step = total > 0 ? 1 : mode.slope;
        const double along = step * to_double(att[h * width + d]);
        grad_dst.add(target + d, along * change, std::fabs(along) * terms);
        grad_x.add(edge.source + d, along * change, std::fabs(along) * terms);
        grad_att.add(h * width + d, step * total * change, std::fabs(step * total) * terms);
      }
    }
  }

  const Graph& graph;
  GatMode mode;
  int64_t width;
  Csr<Index> csr;
  TransposedCsr<Index> transposed;
  Buffer<T> x;
  Buffer<T> x_dst;
  Buffer<T> grad;
  Buffer<Acc> att;
  Buffer<uint8_t> bits;
  int64_t seed = 1234567;
  Random random{4321};
  Expected y;
  Expected row_max;
  Expected inv_sum;
  Expected grad_x;
  Expected grad_dst;
  Expected grad_att;
};

}  // namespace test

// A problem of graph attention: inputs, and every result by its definition in fp64.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "check.h"
#include "graphs.h"
#include "sgnn/gat.h"
#include "values.h"

namespace test {

struct GatMode {
  const char* name;
  int64_t heads = 1;
  bool bits = false;
  bool edge_id = false;
  bool edge_score = false;
  bool positive = true;  // kept by the forward: the gradient of s_dst
  bool poison = false;   // NaN and Inf behind every dropped edge
  uint32_t threshold = sgnn::kKeepAll;
  double slope = 0.2;
  int offset = 0;  // of the rows from a 16-byte boundary
};

// A result beside the sums of its absolute terms.
struct Expected {
  explicit Expected(int64_t count) : value(count), magnitude(count) {
    for (int64_t i = 0; i < count; ++i) value[i] = magnitude[i] = 0;
  }
  void add(int64_t i, double term, double size) {
    value[i] += term;
    magnitude[i] += size;
  }
  void add(int64_t i, double term) { add(i, term, std::fabs(term)); }
  Buffer<double> value;
  Buffer<double> magnitude;
};

template <typename Got>
void check_result(const char* name, const Got& got, const Expected& expected, double tolerance) {
  const std::string wrong = difference(got, expected.value, expected.magnitude, tolerance);
  CHECK_TEXT(wrong.empty(), std::string(name) + ": " + wrong);
}

template <typename T, typename Index>
struct GatCase {
  using Acc = acc_t<T>;

  GatCase(const Graph& g, int64_t head_width, const GatMode& m)
      : graph(g),
        mode(m),
        width(head_width),
        csr(g, m.edge_id),
        transposed(g, csr),
        x(g.num_cols * m.heads * width, m.offset),
        grad(g.num_rows * m.heads * width, m.offset),
        s_dst(g.num_rows * m.heads),
        s_src(g.num_cols * m.heads),
        edge_score(g.nnz() * m.heads),
        bits((g.nnz() + 7) / 8),
        y(grad.size()),
        positive(m.positive ? grad.size() : 0),
        row_max(s_dst.size()),
        inv_sum(s_dst.size()),
        positive_weight(m.positive ? s_dst.size() : 0),
        grad_x(x.size()),
        grad_dst(s_dst.size()),
        grad_src(s_src.size()),
        grad_score(m.edge_score ? edge_score.size() : 0) {
    for (auto* rows : {&x, &grad}) fill(random, *rows, -1, 1);
    for (auto* scores : {&s_dst, &s_src, &edge_score}) fill(random, *scores, -2, 2);
    fill_bits(random, bits);
    if (mode.poison) drop_and_poison();
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t h = 0; h < mode.heads; ++h) define(i, h);
    }
  }

  bool kept(int64_t id) const { return !mode.bits || bit_of(bits, id); }

  void drop_and_poison() {
    const int64_t heads = mode.heads;
    for (int64_t j = 1; j < graph.num_cols; j += 2) {
      for (int64_t c = 0; c < heads * width; ++c) x[j * heads * width + c] = from_double<T>(kNaN);
      for (int64_t h = 0; h < heads; ++h) s_src[j * heads + h] = static_cast<Acc>(kInf);
    }
    keep_even_columns(graph, csr, bits);
    for (int64_t e = 0; e < graph.nnz(); ++e) {
      const int64_t id = csr.id(e);
      for (int64_t h = 0; h < heads && !bit_of(bits, id); ++h) {
        edge_score[id * heads + h] = static_cast<Acc>(kNaN);
      }
    }
  }

  struct Edge {
    int64_t col;
    int64_t id;
    double total;
    double score;
    double alpha;
    double keep;
  };

  // The kept edges of a target and head, with their weights.
  std::vector<Edge> edges_of(int64_t i, int64_t h) {
    std::vector<Edge> edges;
    double max = -kInf;
    for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
      const int64_t id = csr.id(e);
      if (!kept(id)) continue;
      const int64_t at = id * mode.heads + h;
      double total = to_double(s_dst[i * mode.heads + h]);
      total += to_double(s_src[graph.col[e] * mode.heads + h]);
      if (mode.edge_score) total += to_double(edge_score[at]);
      const double score = total > 0 ? total : mode.slope * total;
      const bool keeps = mode.threshold == sgnn::kKeepAll ||
                         sgnn::dropout_keeps(static_cast<uint64_t>(seed), at, mode.threshold);
      edges.push_back({graph.col[e], id, total, score, 0, keeps ? 65536.0 / mode.threshold : 0});
      max = std::max(max, score);
    }
    if (edges.empty()) return edges;
    double sum = 0;
    for (Edge& edge : edges) sum += edge.alpha = std::exp(edge.score - max);
    for (Edge& edge : edges) edge.alpha /= sum;
    row_max.add(i * mode.heads + h, max, 6);
    inv_sum.add(i * mode.heads + h, 1 / sum, 6);
    return edges;
  }

  // The definition in sgnn/gat.h for one target and head, derivatives edge by edge.
  void define(int64_t i, int64_t h) {
    const int64_t pair = i * mode.heads + h;
    const std::vector<Edge> edges = edges_of(i, h);
    double delta = 0;
    double delta_size = 0;
    std::vector<std::array<double, 2>> dots;
    for (const Edge& edge : edges) {
      const double weight = edge.alpha * edge.keep;
      const bool counts = mode.positive && edge.total > 0;
      std::array<double, 2> dot = {0, 0};
      for (int64_t d = 0; d < width; ++d) {
        const int64_t source = (edge.col * mode.heads + h) * width + d;
        const double feature = to_double(x[source]);
        const double upstream = to_double(grad[pair * width + d]);
        y.add(pair * width + d, weight * feature);
        if (counts) positive.add(pair * width + d, weight * feature);
        grad_x.add(source, weight * upstream);
        dot[0] += edge.keep * feature * upstream;
        dot[1] += edge.keep * std::fabs(feature * upstream);
      }
      if (counts) positive_weight.add(pair, edge.alpha, 6);
      delta += edge.alpha * dot[0];
      delta_size += edge.alpha * dot[1];
      dots.push_back(dot);
    }
    for (size_t e = 0; e < edges.size(); ++e) {
      const Edge& edge = edges[e];
      const double step = edge.alpha * (edge.total > 0 ? 1 : mode.slope);
      const double change = step * (dots[e][0] - delta);
      const double size = 6 * edge.alpha * (dots[e][1] + delta_size);
      if (mode.edge_score) grad_score.add(edge.id * mode.heads + h, change, size);
      grad_src.add(edge.col * mode.heads + h, change, size);
      if (mode.positive) grad_dst.add(pair, change, size);
    }
  }

  const Graph& graph;
  GatMode mode;
  int64_t width;
  Csr<Index> csr;
  TransposedCsr<Index> transposed;
  Buffer<T> x;
  Buffer<T> grad;
  Buffer<Acc> s_dst;
  Buffer<Acc> s_src;
  Buffer<Acc> edge_score;
  Buffer<uint8_t> bits;
  int64_t seed = 1234567;
  Random random{4321};
  Expected y;
  Expected positive;
  Expected row_max;
  Expected inv_sum;
  Expected positive_weight;
  Expected grad_x;
  Expected grad_dst;
  Expected grad_src;
  Expected grad_score;
};

}  // namespace test

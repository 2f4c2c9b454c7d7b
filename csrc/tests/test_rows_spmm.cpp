// The emulated products with sparse rows against their definition in fp64 and the CPU kernels.
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/rows_spmm.h"
#include "values.h"

namespace test {
namespace {

struct Mode {
  const char* name;
  bool fixed = true;  // fixed rows, else CSR rows with parallel entries
  bool weight = false;
  bool bits = false;
  bool scales = false;
  bool edge_id = false;
};

const Mode kModes[] = {
    {.name = "fixed"},
    {.name = "fixed weight", .weight = true, .edge_id = true},
    {.name = "fixed all", .weight = true, .bits = true, .scales = true, .edge_id = true},
    {.name = "csr", .fixed = false},
    {.name = "csr all", .fixed = false, .weight = true, .bits = true, .scales = true},
};

// The transpose of a graph, with the ids of its edges.
struct Transposed {
  template <typename Index>
  Transposed(const Graph& graph, const Csr<Index>& csr) {
    std::vector<std::vector<std::pair<int64_t, int64_t>>> rows(static_cast<size_t>(graph.num_cols));
    for (int64_t i = 0; i < graph.num_rows; ++i) {
      for (int64_t e = graph.rowptr[i]; e < graph.rowptr[i + 1]; ++e) {
        rows[static_cast<size_t>(graph.col[e])].push_back({i, csr.id(e)});
      }
    }
    rowptr.push_back(0);
    for (const auto& row : rows) {
      for (const auto& [i, edge] : row) {
        col.push_back(i);
        id.push_back(edge);
      }
      rowptr.push_back(static_cast<int64_t>(col.size()));
    }
    arg = {graph.num_cols, graph.num_rows, graph.nnz(),      rowptr.data(),
           col.data(),     id.data(),      IndexType::kInt64};
  }

  std::vector<int64_t> rowptr, col, id;
  sgnn::CsrArg arg;
};

template <typename T, typename Id, typename Index>
class Problem {
 public:
  using Acc = acc_t<T>;

  Problem(const Graph& graph, int64_t width, int64_t k, const Mode& mode)
      : graph_(graph), width_(width), csr_(graph, mode.edge_id), transposed_(graph, csr_) {
    draw_rows(k, mode.fixed);
    args_.csr = csr_.arg;
    args_.dtype = Type<T>::dtype;
    draw(g_, graph.num_rows * (width + 1), -1, 1);
    draw_acc(weight_, graph.nnz());
    draw_acc(row_scale_, graph.num_rows);
    draw_acc(col_scale_, graph.num_cols);
    for (int64_t i = 0; i < (graph.nnz() + 7) / 8; ++i) {
      bits_.push_back(static_cast<uint8_t>(random_.bits()));
    }
    args_.g = g_.data();
    args_.g_stride = width + 1;
    if (mode.weight) args_.weight = weight_.data();
    if (mode.bits) args_.bits = bits_.data();
    if (mode.scales) args_.row_scale = row_scale_.data();
    if (mode.scales) args_.col_scale = col_scale_.data();
  }

  void compare() {
    Buffer<double> y(graph_.num_rows * width_), edges(graph_.nnz()), values(nnz());
    Buffer<double> y_size(y.size()), edges_size(edges.size()), values_size(values.size());
    define(y, edges, values, y_size, edges_size, values_size);
    const double tolerance = Type<T>::tolerance;
    for (const bool cuda : {false, true}) {
      const check::Context context(cuda ? "cuda" : "cpu");
      expect(difference(forward(cuda), y, y_size, tolerance));
      expect(difference(edge_gradient(cuda), edges, edges_size, tolerance));
      expect(difference(value_gradient(cuda), values, values_size, tolerance));
    }
    expect(difference(value_gradient_by_row(), values, values_size, tolerance));
  }

 private:
  static void expect(const std::string& wrong) { CHECK_TEXT(wrong.empty(), wrong); }

  int64_t nnz() const { return static_cast<int64_t>(ids_.size()); }

  void draw(std::vector<T>& out, int64_t count, double low, double high) {
    for (int64_t i = 0; i < count; ++i) out.push_back(from_double<T>(random_.uniform(low, high)));
  }

  void draw_acc(std::vector<Acc>& out, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<Acc>(random_.uniform(0.2, 1)));
  }

  // Fixed: k distinct columns a row. CSR: 0 to 2 k columns a row, some of them twice.
  void draw_rows(int64_t k, bool fixed) {
    rowptr_.push_back(0);
    for (int64_t j = 0; j < graph_.num_cols; ++j) {
      int64_t left = fixed ? k : random_.below(2 * k + 1);
      const auto start = ids_.size();
      for (int64_t c = 0; c < width_ && left > 0; ++c) {
        const bool take = width_ - c <= left || random_.below(width_) < 2 * left;
        if (!take) continue;
        ids_.push_back(static_cast<Id>(c));
        --left;
        if (!fixed && left > 0 && random_.below(3) == 0) {
          ids_.push_back(static_cast<Id>(c));
          --left;
        }
      }
      if (fixed) CHECK(static_cast<int64_t>(ids_.size() - start) == k);
      rowptr_.push_back(static_cast<Id>(ids_.size()));
    }
    draw(x_, nnz(), -1, 1);
    sgnn::RowsArg& x = args_.x;
    x.num_rows = graph_.num_cols;
    x.num_cols = width_;
    x.nnz = nnz();
    x.k = fixed ? k : 0;
    x.rowptr = fixed ? nullptr : rowptr_.data();
    x.ids = ids_.data();
    x.values = x_.data();
    x.id_type = sizeof(Id) == 1   ? sgnn::IdType::kUint8
                : sizeof(Id) == 2 ? sgnn::IdType::kInt16
                : sizeof(Id) == 4 ? sgnn::IdType::kInt32
                                  : sgnn::IdType::kInt64;
  }

  int64_t begin(int64_t j) const {
    return args_.x.rowptr == nullptr ? j * args_.x.k : static_cast<int64_t>(rowptr_[j]);
  }

  void define(Buffer<double>& y, Buffer<double>& edges, Buffer<double>& values,
              Buffer<double>& y_size, Buffer<double>& edges_size, Buffer<double>& values_size) {
    for (auto* buffer : {&y, &edges, &values, &y_size, &edges_size, &values_size}) {
      for (int64_t i = 0; i < buffer->size(); ++i) (*buffer)[i] = 0;
    }
    for (int64_t i = 0; i < graph_.num_rows; ++i) {
      for (int64_t e = graph_.rowptr[i]; e < graph_.rowptr[i + 1]; ++e) {
        const int64_t j = graph_.col[e];
        const int64_t id = csr_.id(e);
        if (args_.bits != nullptr && (bits_[id / 8] >> (id % 8) & 1) == 0) continue;
        double scale = 1;
        if (args_.row_scale != nullptr)
          scale *= to_double(row_scale_[i]) * to_double(col_scale_[j]);
        const double weight = args_.weight == nullptr ? 1 : to_double(weight_[id]);
        for (int64_t p = begin(j); p < begin(j + 1); ++p) {
          const double v = to_double(x_[p]), g = to_double(g_[i * (width_ + 1) + ids_[p]]);
          const auto add = [](Buffer<double>& sum, Buffer<double>& size, int64_t at, double term) {
            sum[at] += term;
            size[at] += std::fabs(term);
          };
          add(y, y_size, i * width_ + ids_[p], scale * weight * v);
          add(edges, edges_size, id, scale * v * g);
          add(values, values_size, p, scale * weight * g);
        }
      }
    }
  }

  Buffer<T> forward(bool cuda) {
    Buffer<T> y(graph_.num_rows * width_);
    sgnn::RowsSpmmArgs args = args_;
    args.y = y.data();
    if (cuda) {
      CHECK(sgnn::rows_spmm_cuda(args, nullptr) == nullptr);
    } else {
      sgnn::rows_spmm_cpu(args, 0, graph_.num_rows);
    }
    return y;
  }

  Buffer<Acc> edge_gradient(bool cuda) {
    Buffer<Acc> edges(graph_.nnz());
    sgnn::RowsSpmmArgs args = args_;
    args.edges = edges.data();
    if (cuda) {
      CHECK(sgnn::rows_spmm_edges_cuda(args, nullptr) == nullptr);
    } else {
      for (int64_t e = 0; e < graph_.nnz(); ++e) edges[e] = 0;
      sgnn::rows_spmm_edges_cpu(args, 0, graph_.num_rows);
    }
    return edges;
  }

  Buffer<T> value_gradient(bool cuda) {
    Buffer<T> values(nnz());
    sgnn::RowsSpmmArgs args = args_;
    args.csr = transposed_.arg;
    std::swap(args.row_scale, args.col_scale);
    args.values = values.data();
    if (cuda) {
      CHECK(sgnn::rows_spmm_values_cuda(args, nullptr) == nullptr);
    } else {
      sgnn::rows_spmm_values_cpu(args, 0, graph_.num_cols);
    }
    return values;
  }

  Buffer<T> value_gradient_by_row() {
    std::vector<Acc> sums(static_cast<size_t>(2 * nnz()), Acc(0));
    const int64_t half = graph_.num_rows / 2;
    sgnn::RowsSpmmArgs args = args_;
    args.values = sums.data();
    sgnn::rows_spmm_edges_cpu(args, 0, half);
    args.values = sums.data() + nnz();
    sgnn::rows_spmm_edges_cpu(args, half, graph_.num_rows);
    Buffer<T> values(nnz());
    sgnn::sum_values_cpu(args.dtype, sums.data(), 2, nnz(), values.data());
    return values;
  }

  const Graph& graph_;
  const int64_t width_;
  Random random_{17};
  Csr<Index> csr_;
  Transposed transposed_;
  std::vector<Id> rowptr_, ids_;
  std::vector<T> x_, g_;
  std::vector<Acc> weight_, row_scale_, col_scale_;
  std::vector<uint8_t> bits_;
  sgnn::RowsSpmmArgs args_;
};

template <typename T, typename Index>
void compare(const Graph& graph, const Mode& mode) {
  const check::Context context(graph.name + " " + Type<T>::name + " int" +
                               std::to_string(8 * sizeof(Index)) + " " + mode.name);
  if (mode.fixed) {
    Problem<T, uint8_t, Index>(graph, 20, 3, mode).compare();
    Problem<T, uint8_t, Index>(graph, 40, 40, mode).compare();
    Problem<T, int16_t, Index>(graph, 600, 9, mode).compare();
  } else {
    Problem<T, Index, Index>(graph, 30, 10, mode).compare();
  }
}

SGNN_TEST(rows_spmm_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : kModes) {
      for_each_type(
          [&](auto value, auto index) { compare<decltype(value), decltype(index)>(graph, mode); });
    }
  }
}

SGNN_TEST(rows_spmm_wide_ids_and_long_rows) {
  const Graph graph = mixed();
  Problem<float, int32_t, int32_t>(graph, 33000, 5, kModes[0]).compare();
  const Graph dense = draw("long", 3, std::vector<int64_t>(60, 200), 21);
  for (const Mode& mode : kModes) {
    Problem<float, uint8_t, int32_t> fixed(dense, 50, 6, mode);
    if (mode.fixed) fixed.compare();
  }
  Problem<float, int32_t, int32_t>(dense, 50, 6, kModes[4]).compare();
}

SGNN_TEST(rows_spmm_does_not_depend_on_the_order_of_blocks) {
  emu::Block::instance().reverse = true;
  Problem<float, uint8_t, int32_t>(mixed(), 40, 5, kModes[2]).compare();
  emu::Block::instance().reverse = false;
}

}  // namespace
}  // namespace test

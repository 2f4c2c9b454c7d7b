// The emulated operators on values per edge against their definitions in fp64 and the CPU kernels.
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "graphs.h"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"
#include "spmm_split.cuh"
#include "values.h"

namespace test {
namespace {

struct Mode {
  const char* name;
  int64_t heads;
  bool bits = false;
  bool edge_id = false;
};

const Mode kModes[] = {
    {.name = "one head", .heads = 1},
    {.name = "heads+edge_id", .heads = 4, .edge_id = true},
    {.name = "odd heads+bits", .heads = 3, .bits = true, .edge_id = true},
    {.name = "many heads+bits", .heads = 37, .bits = true},
};

template <typename A, typename Index>
class EdgeCase {
 public:
  EdgeCase(const Graph& graph, const Mode& mode)
      : graph_(graph),
        mode_(mode),
        csr_(graph, mode.edge_id),
        dst_(graph.num_rows * mode.heads),
        src_(graph.num_cols * mode.heads),
        values_(graph.nnz() * mode.heads),
        grad_(graph.nnz() * mode.heads),
        bits_((graph.nnz() + 7) / 8) {
    for (auto* buffer : {&dst_, &src_, &values_, &grad_}) fill(random_, *buffer, -3, 3);
    fill_bits(random_, bits_);
    poison();
  }

  // Every operator by both means against its definition, in two orders of the threads.
  void check() {
    sgnn::EdgeScoresArgs scores;
    scores.dst = dst_.data();
    scores.src = src_.data();
    scores.negative_slope = 0.2;
    const auto scores_cuda = [](const sgnn::EdgeScoresArgs& args, void*, sgnn::Stream stream) {
      return sgnn::edge_scores_cuda(args, stream);
    };
    run(scores, sgnn::edge_scores_cpu, scores_cuda, define_scores(), "scores");
    sgnn::EdgeSumArgs sum;
    sum.values = values_.data();
    run(sum, sgnn::edge_sum_cpu, sgnn::edge_sum_cuda, define_sum(), "sum");
    sgnn::EdgeSoftmaxArgs softmax;
    softmax.scores = values_.data();
    const Buffer<double> exact = define_softmax();
    run(softmax, sgnn::edge_softmax_cpu, sgnn::edge_softmax_cuda, exact, "softmax");
    Buffer<A> rounded(exact.size());
    for (int64_t i = 0; i < exact.size(); ++i) rounded[i] = static_cast<A>(exact[i]);
    sgnn::EdgeSoftmaxGradArgs grad;
    grad.softmax = rounded.data();
    grad.grad = grad_.data();
    run(grad, sgnn::edge_softmax_grad_cpu, sgnn::edge_softmax_grad_cuda, define_grad(exact),
        "softmax_grad");
  }

 private:
  bool kept(int64_t id) const { return !mode_.bits || bit_of(bits_, id); }

  // NaN and Inf behind every dropped edge.
  void poison() {
    for (int64_t id = 0; id < graph_.nnz(); ++id) {
      for (int64_t h = 0; h < mode_.heads && !kept(id); ++h) {
        values_[id * mode_.heads + h] = static_cast<A>(h % 2 == 0 ? kNaN : kInf);
        grad_[id * mode_.heads + h] = static_cast<A>(kInf);
      }
    }
  }

  // Calls fn(row, column, id, head) for every kept edge and head.
  template <typename Fn>
  void each(Fn&& fn) const {
    for (int64_t i = 0; i < graph_.num_rows; ++i) {
      for (int64_t e = graph_.rowptr[i]; e < graph_.rowptr[i + 1]; ++e) {
        if (!kept(csr_.id(e))) continue;
        for (int64_t h = 0; h < mode_.heads; ++h) fn(i, graph_.col[e], csr_.id(e), h);
      }
    }
  }

  static Buffer<double> zeros(int64_t count) {
    Buffer<double> out(count);
    for (int64_t i = 0; i < count; ++i) out[i] = 0;
    return out;
  }

  Buffer<double> define_scores() const {
    Buffer<double> out = zeros(values_.size());
    each([&](int64_t i, int64_t j, int64_t id, int64_t h) {
      const double sum =
          to_double(dst_[i * mode_.heads + h]) + to_double(src_[j * mode_.heads + h]);
      out[id * mode_.heads + h] = sum > 0 ? sum : 0.2 * sum;
    });
    return out;
  }

  Buffer<double> define_sum() const {
    Buffer<double> out = zeros(dst_.size());
    each([&](int64_t i, int64_t, int64_t id, int64_t h) {
      out[i * mode_.heads + h] += to_double(values_[id * mode_.heads + h]);
    });
    return out;
  }

  Buffer<double> define_softmax() const {
    Buffer<double> total = zeros(dst_.size());
    Buffer<double> out = zeros(values_.size());
    each([&](int64_t i, int64_t, int64_t id, int64_t h) {
      total[i * mode_.heads + h] += std::exp(to_double(values_[id * mode_.heads + h]));
    });
    each([&](int64_t i, int64_t, int64_t id, int64_t h) {
      const int64_t at = id * mode_.heads + h;
      out[at] = std::exp(to_double(values_[at])) / total[i * mode_.heads + h];
    });
    return out;
  }

  Buffer<double> define_grad(const Buffer<double>& softmax) const {
    Buffer<double> total = zeros(dst_.size());
    Buffer<double> out = zeros(values_.size());
    each([&](int64_t i, int64_t, int64_t id, int64_t h) {
      const int64_t at = id * mode_.heads + h;
      total[i * mode_.heads + h] += softmax[at] * to_double(grad_[at]);
    });
    each([&](int64_t i, int64_t, int64_t id, int64_t h) {
      const int64_t at = id * mode_.heads + h;
      out[at] = softmax[at] * (to_double(grad_[at]) - total[i * mode_.heads + h]);
    });
    return out;
  }

  template <typename Args, typename Cpu, typename Cuda>
  void run(Args args, Cpu cpu, Cuda cuda, const Buffer<double>& exact, const char* name) {
    args.csr = csr_.arg;
    args.dtype = Type<A>::dtype;
    args.heads = mode_.heads;
    args.bits = mode_.bits ? bits_.data() : nullptr;
    Buffer<double> magnitude(exact.size());
    for (int64_t i = 0; i < exact.size(); ++i) magnitude[i] = 10;
    Buffer<A> first(exact.size());
    Buffer<A> second(exact.size());
    args.out = first.data();
    cpu(args, 0, graph_.num_rows);
    const std::string wrong = difference(first, exact, magnitude, Type<A>::tolerance);
    CHECK_TEXT(wrong.empty(), std::string(name) + " on the CPU: " + wrong);
    Buffer<double> space(sgnn::edge_rows_workspace(args.csr, args.dtype, args.heads) / 8 + 1);
    for (void* workspace : {static_cast<void*>(nullptr), static_cast<void*>(space.data())}) {
      CHECK(cuda(args, workspace, nullptr) == nullptr);
      const std::string other = difference(first, exact, magnitude, Type<A>::tolerance);
      CHECK_TEXT(other.empty(), std::string(name) + " emulated: " + other);
    }
    args.out = second.data();
    emu::Block::instance().reverse = true;
    CHECK(cuda(args, space.data(), nullptr) == nullptr);
    emu::Block::instance().reverse = false;
    CHECK_TEXT(first == second, name);
  }

  const Graph& graph_;
  Mode mode_;
  Csr<Index> csr_;
  Buffer<A> dst_;
  Buffer<A> src_;
  Buffer<A> values_;
  Buffer<A> grad_;
  Buffer<uint8_t> bits_;
  Random random_{99};
};

template <typename A, typename Index>
void check_case(const Graph& graph, const Mode& mode) {
  const check::Context context(graph.name + " " + Type<A>::name + " int" +
                               std::to_string(8 * sizeof(Index)) + " " + mode.name);
  EdgeCase<A, Index>(graph, mode).check();
}

SGNN_TEST(edge_softmax_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const Mode& mode : kModes) {
      check_case<float, int32_t>(graph, mode);
      check_case<float, int64_t>(graph, mode);
      check_case<double, int32_t>(graph, mode);
      check_case<double, int64_t>(graph, mode);
    }
  }
}

// Hubs that begin and end on, before and behind chunk boundaries, two of them in one chunk.
SGNN_TEST(edge_softmax_of_hubs) {
  constexpr int64_t kChunk = sgnn::kMinChunk;
  constexpr int64_t kHub = 2 * kChunk + 1;
  const Graph aligned = draw("aligned", 50, {2 * kChunk, 3 * kChunk, kChunk}, 1);
  const Graph behind = draw("behind", 50, {1, kHub, kHub, 0, kHub + kChunk - 4, 2}, 2);
  for (const Mode& mode : kModes) {
    check_case<double, int32_t>(aligned, mode);
    check_case<double, int64_t>(behind, mode);
  }
  check_case<double, int32_t>(draw("hub", 300, {2, 20000, 0, 3}, 9), kModes[2]);
}

// A hub whose scores are all -inf, one with +inf and one with NaN among them.
SGNN_TEST(edge_softmax_of_a_hub_without_a_softmax) {
  const Graph graph = draw("hub", 9, {2, 3000}, 3);
  Csr<int32_t> csr(graph, false);
  for (const double score : {-kInf, kInf, kNaN}) {
    Buffer<float> scores(graph.nnz()), out(graph.nnz());
    for (int64_t e = 0; e < graph.nnz(); ++e) {
      scores[e] = static_cast<float>(score < 0 || e == 700 ? score : 0);
    }
    sgnn::EdgeSoftmaxArgs args;
    args.csr = csr.arg;
    args.heads = 1;
    args.scores = scores.data();
    args.out = out.data();
    Buffer<double> space(sgnn::edge_rows_workspace(args.csr, args.dtype, args.heads) / 8 + 1);
    CHECK(sgnn::edge_softmax_cuda(args, space.data(), nullptr) == nullptr);
    for (int64_t e = 2; e < graph.nnz(); ++e) CHECK(std::isnan(out[e]));
  }
}

}  // namespace
}  // namespace test

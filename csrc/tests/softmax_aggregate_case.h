// One problem of softmax aggregation, forward or backward, with its definition in fp64.
#pragma once

#include <cmath>
#include <string>

#include "check.h"
#include "graphs.h"
#include "sgnn/softmax_aggregate.h"
#include "values.h"

namespace test {

struct SoftmaxMode {
  const char* name;
  bool relu = false;
  bool bits = false;
  bool edge_id = false;
  bool poison = false;  // Inf and NaN behind every dropped edge
  bool extra = true;    // what may be null: log_sum of the forward, dt of the backward
  int pad = 0;          // of the strides of x and grad
  int offset = 0;       // of x and grad from a 16-byte boundary
};

// What both directions share. The rows of `graph` are targets forward, sources backward.
template <typename T, typename Index>
class SoftmaxProblem {
 public:
  using Acc = acc_t<T>;

  SoftmaxProblem(const Graph& graph, int64_t sources, int64_t width, const SoftmaxMode& mode)
      : graph_(graph),
        mode_(mode),
        width_(width),
        stride_(width + mode.pad),
        csr_(graph, mode.edge_id),
        x_(sources * stride_, mode.offset),
        t_(width),
        bits_((graph.nnz() + 7) / 8) {
    test::fill(random_, x_, -2, 2);
    test::fill(random_, t_, -1, 3);
    fill_bits(random_, bits_);
    for (int64_t e = 0; e < graph.nnz() && mode.poison; ++e) set_bit(csr_.id(e), !poisoned(e));
  }

 protected:
  // Whether the far end of a stored edge is one of the poisoned nodes.
  bool poisoned(int64_t e) const { return mode_.poison && graph_.col[e] % 2 != 0; }

  void set_bit(int64_t id, bool keep) {
    const auto bit = static_cast<uint8_t>(1u << (id % 8));
    bits_[id / 8] = static_cast<uint8_t>(keep ? bits_[id / 8] | bit : bits_[id / 8] & ~bit);
  }

  // Calls fn(row, column, c) for every kept edge and column of the features.
  template <typename Fn>
  void each(Fn&& fn) const {
    for (int64_t row = 0; row < graph_.num_rows; ++row) {
      for (int64_t e = graph_.rowptr[row]; e < graph_.rowptr[row + 1]; ++e) {
        const int64_t id = csr_.id(e);
        if (mode_.bits && !bit_of(bits_, id)) continue;
        for (int64_t c = 0; c < width_; ++c) fn(row, graph_.col[e], c);
      }
    }
  }

  double message(int64_t source, int64_t c) const {
    const double x = to_double(x_[source * stride_ + c]);
    if (!mode_.relu) return x;
    return (x < 0 ? 0 : x) + static_cast<double>(static_cast<Acc>(kEps));
  }

  double exponent(int64_t source, int64_t c) const { return to_double(t_[c]) * message(source, c); }

  template <typename Args>
  void fill(Args& args) const {
    args.csr = csr_.arg;
    args.dtype = Type<T>::dtype;
    args.width = width_;
    args.x = x_.data();
    args.x_stride = stride_;
    args.t = t_.data();
    args.bits = mode_.bits ? bits_.data() : nullptr;
    args.relu = mode_.relu;
    args.eps = kEps;
  }

  static Buffer<double> zeros(int64_t count) {
    Buffer<double> out(count);
    for (int64_t i = 0; i < count; ++i) out[i] = 0;
    return out;
  }

  static constexpr double kEps = 0.125;

  const Graph& graph_;
  const SoftmaxMode mode_;
  const int64_t width_;
  const int64_t stride_;
  Csr<Index> csr_;
  Random random_{4242};
  Buffer<T> x_;
  Buffer<Acc> t_;
  Buffer<uint8_t> bits_;
};

template <typename T, typename Index>
class SoftmaxForward : public SoftmaxProblem<T, Index> {
 public:
  using Base = SoftmaxProblem<T, Index>;
  using Acc = acc_t<T>;
  struct Result {
    Buffer<T> y;
    Buffer<Acc> log_sum;
    bool operator==(const Result& other) const { return y == other.y && log_sum == other.log_sum; }
  };

  SoftmaxForward(const Graph& graph, int64_t width, const SoftmaxMode& mode)
      : Base(graph, graph.num_cols, width, mode),
        y(Base::zeros(graph.num_rows * width)),
        lse_(Base::zeros(graph.num_rows * width)) {
    for (int64_t j = 1; j < graph.num_cols && mode.poison; j += 2) {
      for (int64_t c = 0; c < width; ++c) {
        this->x_[j * this->stride_ + c] = from_double<T>((j + c) % 4 < 2 ? kNaN : kInf);
      }
    }
    Buffer<double> sum = Base::zeros(y.size());
    this->each([&](int64_t i, int64_t j, int64_t c) {
      const double weight = std::exp(this->exponent(j, c));
      sum[i * width + c] += weight;
      y[i * width + c] += weight * this->message(j, c);
    });
    for (int64_t i = 0; i < y.size(); ++i) {
      lse_[i] = kEmpty;
      if (sum[i] == 0) continue;
      y[i] /= sum[i];
      lse_[i] = std::log(sum[i]);
    }
  }

  Result cpu() {
    Result out = empty();
    sgnn::softmax_aggregate_cpu(arguments(out), 0, this->graph_.num_rows);
    return out;
  }

  Result cuda(bool with_workspace = true) {
    Result out = empty();
    const sgnn::SoftmaxAggregateArgs args = arguments(out);
    Buffer<char> workspace(sgnn::softmax_aggregate_workspace(args));
    void* place = with_workspace ? workspace.data() : nullptr;
    CHECK(sgnn::softmax_aggregate_cuda(args, place, nullptr) == nullptr);
    return out;
  }

  // What log_sum must be beside a result.
  Buffer<double> log_sum_for(const Buffer<T>& result) const {
    Buffer<double> out = Base::zeros(result.size());
    for (int64_t i = 0; i < out.size(); ++i) {
      const double t = to_double(this->t_[i % this->width_]);
      if (lse_[i] != kEmpty) out[i] = lse_[i] - t * to_double(result[i]);
    }
    return out;
  }

  Buffer<double> y;

 private:
  Result empty() const {
    return {Buffer<T>(y.size()), Buffer<Acc>(this->mode_.extra ? y.size() : 0)};
  }

  sgnn::SoftmaxAggregateArgs arguments(Result& out) const {
    sgnn::SoftmaxAggregateArgs args;
    this->fill(args);
    args.y = out.y.data();
    args.log_sum = this->mode_.extra ? out.log_sum.data() : nullptr;
    return args;
  }

  static constexpr double kEmpty = 1e300;

  Buffer<double> lse_;  // log of the sum of the exponentials, kEmpty without kept edges
};

template <typename T, typename Index>
class SoftmaxBackward : public SoftmaxProblem<T, Index> {
 public:
  using Base = SoftmaxProblem<T, Index>;
  using Acc = acc_t<T>;
  struct Result {
    Buffer<T> dx;
    Buffer<Acc> dt;
    bool operator==(const Result& other) const { return dx == other.dx && dt == other.dt; }
  };

  SoftmaxBackward(const Graph& graph, int64_t width, const SoftmaxMode& mode)
      : Base(graph, graph.num_rows, width, mode),
        grad_(graph.num_cols * this->stride_, mode.offset),
        y_(graph.num_cols * width),
        log_sum_(graph.num_cols * width),
        dx(Base::zeros(graph.num_rows * width)),
        dx_magnitude(Base::zeros(dx.size())),
        dt(Base::zeros(width)),
        dt_magnitude(Base::zeros(width)) {
    test::fill(this->random_, grad_, -1, 1);
    define_targets();
    define();
  }

  Result cpu() {
    Result out = empty();
    void* part = this->mode_.extra ? out.dt.data() : nullptr;
    sgnn::softmax_aggregate_grad_cpu(arguments(out), 0, this->graph_.num_rows, part);
    return out;
  }

  Result cuda(bool with_workspace = true) {
    Result out = empty();
    const sgnn::SoftmaxAggregateGradArgs args = arguments(out);
    const bool extra = this->mode_.extra;
    Buffer<char> workspace(sgnn::softmax_aggregate_grad_workspace(args, extra));
    void* place = with_workspace ? workspace.data() : nullptr;
    void* whole = extra ? out.dt.data() : nullptr;
    CHECK(sgnn::softmax_aggregate_grad_cuda(args, whole, place, nullptr) == nullptr);
    return out;
  }

 private:
  Result empty() const {
    return {Buffer<T>(dx.size()), Buffer<Acc>(this->mode_.extra ? this->width_ : 0)};
  }

  sgnn::SoftmaxAggregateGradArgs arguments(Result& out) const {
    sgnn::SoftmaxAggregateGradArgs args;
    this->fill(args);
    args.grad = grad_.data();
    args.grad_stride = this->stride_;
    args.y = y_.data();
    args.log_sum = log_sum_.data();
    args.dx = out.dx.data();
    return args;
  }

  // The forward's results as they are stored; poisoned where no kept edge leads.
  void define_targets() {
    Buffer<double> sum = Base::zeros(y_.size());
    Buffer<double> value = Base::zeros(y_.size());
    this->each([&](int64_t j, int64_t i, int64_t c) {
      const double weight = std::exp(this->exponent(j, c));
      sum[i * this->width_ + c] += weight;
      value[i * this->width_ + c] += weight * this->message(j, c);
    });
    for (int64_t at = 0; at < y_.size(); ++at) {
      const bool any = sum[at] != 0;
      y_[at] = from_double<T>(any ? value[at] / sum[at] : 0);
      const double t = to_double(this->t_[at % this->width_]);
      log_sum_[at] = static_cast<Acc>(any ? std::log(sum[at]) - t * to_double(y_[at]) : 0);
      const int64_t i = at / this->width_;
      if (!this->mode_.poison || i % 2 == 0) continue;
      y_[at] = from_double<T>(kInf);
      log_sum_[at] = static_cast<Acc>(kNaN);
      grad_[i * this->stride_ + at % this->width_] = from_double<T>(kNaN);
    }
  }

  void define() {
    const int64_t width = this->width_;
    this->each([&](int64_t j, int64_t i, int64_t c) {
      const double m = this->message(j, c);
      const double spread = m - to_double(y_[i * width + c]);
      const double t = to_double(this->t_[c]);
      const double weight = std::exp(t * spread - to_double(log_sum_[i * width + c])) *
                            to_double(grad_[i * this->stride_ + c]);
      // m and y round before they are subtracted.
      const double terms = std::fabs(m) + std::fabs(m - spread);
      dx_magnitude[j * width + c] += std::fabs(weight) * (1 + std::fabs(t) * terms);
      dt[c] += weight * spread * m;
      dt_magnitude[c] += std::fabs(weight * terms * m);
      const bool flat = this->mode_.relu && to_double(this->x_[j * this->stride_ + c]) <= 0;
      if (!flat) dx[j * width + c] += weight * (1 + t * spread);
    });
  }

  Buffer<T> grad_;
  Buffer<T> y_;
  Buffer<Acc> log_sum_;

 public:
  Buffer<double> dx;
  Buffer<double> dx_magnitude;  // sums of the absolute terms
  Buffer<double> dt;
  Buffer<double> dt_magnitude;
};

}  // namespace test

// The emulated dropout and the CPU kernel against the definition, one element at a time.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "sgnn/dropout.h"
#include "values.h"

namespace test {
namespace {

struct Mode {
  int64_t width;  // of the bias; 0 for none
  bool relu;
  int offset;
};

template <typename T>
void compare(int64_t count, uint32_t threshold, int64_t seed, const Mode& mode) {
  using A = acc_t<T>;
  const check::Context context(std::string(Type<T>::name) + " n=" + std::to_string(count) +
                               " t=" + std::to_string(threshold) + " seed=" + std::to_string(seed) +
                               " width=" + std::to_string(mode.width));
  Random random(static_cast<uint64_t>(count));
  Buffer<T> x(count, mode.offset), cuda(count, mode.offset), cpu(count, mode.offset);
  Buffer<A> bias(mode.width, mode.offset);
  for (int64_t k = 0; k < count; ++k) x[k] = from_double<T>(random.uniform(-1, 1));
  for (int64_t f = 0; f < mode.width; ++f) bias[f] = static_cast<A>(random.uniform(-1, 1));
  sgnn::DropoutArgs args{Type<T>::dtype, count, x.data(), cuda.data(), threshold, &seed};
  args.bias = mode.width == 0 ? nullptr : bias.data();
  args.width = mode.width;
  args.relu = mode.relu;
  CHECK(sgnn::dropout_cuda(args, nullptr) == nullptr);
  args.y = cpu.data();
  const int64_t middle = count / 3;  // parts that start anywhere
  sgnn::dropout_cpu(args, 0, middle);
  sgnn::dropout_cpu(args, middle, count);
  for (int64_t k = 0; k < count; ++k) {
    const bool keep = sgnn::dropout_keeps(static_cast<uint64_t>(seed), k, threshold);
    const double shift = mode.width == 0 ? 0 : to_double(bias[k % mode.width]);
    const double sum = to_double(x[k]) + shift;
    const double act = mode.relu && sum < 0 ? 0 : sum;
    const double expected = keep ? act * (65536.0 / threshold) : 0;
    const double terms = std::fabs(to_double(x[k])) + std::fabs(shift);
    const double scale = keep ? terms * 65536.0 / threshold : 0;
    CHECK(close(to_double(cuda[k]), expected, scale, Type<T>::tolerance));
    CHECK(to_double(cuda[k]) == to_double(cpu[k]));
  }
}

template <typename T>
void compare_all() {
  for (const int64_t count : {0, 1, 7, 8, 9, 64, 65, 511, 513, 5000}) {
    for (const uint32_t threshold : {0u, 1u, 30000u, 65535u, sgnn::kKeepAll}) {
      compare<T>(count, threshold, 7, {0, false, 0});
      compare<T>(count, threshold, -3, {0, true, 1});
    }
    for (const int64_t width : {1, 7, 64, 700}) {
      compare<T>(count, 30000, 5, {width, true, 1});
      compare<T>(count, sgnn::kKeepAll, 5, {width, false, 0});
    }
  }
}

SGNN_TEST(dropout_by_position) {
  compare_all<float>();
  compare_all<double>();
  compare_all<BFloat16>();
  compare_all<Half>();
}

SGNN_TEST(a_dropped_infinity_is_zero) {
  const int64_t seed = 1;
  Buffer<float> x(100), y(100);
  for (int64_t k = 0; k < 100; ++k)
    x[k] = k % 2 == 0 ? static_cast<float>(kInf) : static_cast<float>(kNaN);
  const sgnn::DropoutArgs args{DType::kFloat32, 100, x.data(), y.data(), 0, &seed};
  CHECK(sgnn::dropout_cuda(args, nullptr) == nullptr);
  for (int64_t k = 0; k < 100; ++k) CHECK(y[k] == 0);
  sgnn::dropout_cpu(args, 0, 100);
  for (int64_t k = 0; k < 100; ++k) CHECK(y[k] == 0);
}

SGNN_TEST(nothing_drops_without_a_seed) {
  Buffer<float> x(100), y(100);
  for (int64_t k = 0; k < 100; ++k) x[k] = k % 2 == 0 ? 1.0f : static_cast<float>(kNaN);
  sgnn::DropoutArgs args{DType::kFloat32, 100, x.data(), y.data()};
  args.relu = true;
  CHECK(sgnn::dropout_cuda(args, nullptr) == nullptr);
  for (int64_t k = 0; k < 100; ++k) CHECK(k % 2 == 0 ? y[k] == 1.0f : std::isnan(y[k]));
  sgnn::dropout_cpu(args, 0, 100);
  for (int64_t k = 0; k < 100; ++k) CHECK(k % 2 == 0 ? y[k] == 1.0f : std::isnan(y[k]));
}

template <typename T>
void compare_grad(int64_t count, uint32_t threshold, int offset) {
  const check::Context context(std::string(Type<T>::name) + " n=" + std::to_string(count) +
                               " t=" + std::to_string(threshold));
  Random random(static_cast<uint64_t>(count));
  Buffer<T> grad(count, offset), y(count, offset), cuda(count, offset), cpu(count, offset);
  for (int64_t k = 0; k < count; ++k) {
    grad[k] = from_double<T>(random.uniform(-1, 1));
    const double kind = random.uniform(0, 1);
    y[k] = from_double<T>(kind < 0.4 ? 0.0 : kind < 0.6 ? -1.0 : kind < 0.7 ? kNaN : kind);
  }
  sgnn::DropoutGradArgs args{Type<T>::dtype, count, grad.data(), y.data(), cuda.data(), threshold};
  CHECK(sgnn::dropout_grad_cuda(args, nullptr) == nullptr);
  args.out = cpu.data();
  sgnn::dropout_grad_cpu(args, 0, count / 3);
  sgnn::dropout_grad_cpu(args, count / 3, count);
  for (int64_t k = 0; k < count; ++k) {
    const double scale = threshold == 0 ? 0 : 65536.0 / threshold;
    const double expected = to_double(y[k]) <= 0 ? 0 : to_double(grad[k]) * scale;
    CHECK(close(to_double(cuda[k]), expected, std::fabs(expected), Type<T>::tolerance));
    CHECK(to_double(cuda[k]) == to_double(cpu[k]));
  }
}

template <typename T>
void compare_all_grads() {
  for (const int64_t count : {0, 1, 7, 9, 65, 5000}) {
    for (const uint32_t threshold : {0u, 1u, 30000u, sgnn::kKeepAll}) {
      compare_grad<T>(count, threshold, static_cast<int>(count % 2));
    }
  }
}

SGNN_TEST(derivative_of_relu_and_dropout) {
  compare_all_grads<float>();
  compare_all_grads<double>();
  compare_all_grads<BFloat16>();
  compare_all_grads<Half>();
}

}  // namespace
}  // namespace test

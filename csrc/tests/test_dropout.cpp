// The emulated dropout and the CPU kernel against the definition, one element at a time.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "sgnn/dropout.h"
#include "values.h"

namespace test {
namespace {

template <typename T>
void compare(int64_t count, uint32_t threshold, int64_t seed, int offset) {
  const check::Context context(std::string(Type<T>::name) + " n=" + std::to_string(count) +
                               " t=" + std::to_string(threshold) + " seed=" + std::to_string(seed));
  Random random(static_cast<uint64_t>(count));
  Buffer<T> x(count, offset), cuda(count, offset), cpu(count, offset);
  for (int64_t k = 0; k < count; ++k) x[k] = from_double<T>(random.uniform(-1, 1));
  sgnn::DropoutArgs args{Type<T>::dtype, count, x.data(), cuda.data(), threshold, &seed};
  CHECK(sgnn::dropout_cuda(args, nullptr) == nullptr);
  args.y = cpu.data();
  const int64_t middle = count / 3;  // parts that start anywhere
  sgnn::dropout_cpu(args, 0, middle);
  sgnn::dropout_cpu(args, middle, count);
  for (int64_t k = 0; k < count; ++k) {
    const bool keep = sgnn::dropout_keeps(static_cast<uint64_t>(seed), k, threshold);
    const double expected = keep ? to_double(x[k]) * (65536.0 / threshold) : 0;
    CHECK(close(to_double(cuda[k]), expected, std::fabs(expected), Type<T>::tolerance));
    CHECK(to_double(cuda[k]) == to_double(cpu[k]));
  }
}

template <typename T>
void compare_all() {
  for (const int64_t count : {0, 1, 7, 8, 9, 64, 65, 511, 513, 5000}) {
    for (const uint32_t threshold : {0u, 1u, 30000u, 65535u, sgnn::kKeepAll}) {
      compare<T>(count, threshold, 7, 0);
      compare<T>(count, threshold, -3, 1);
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

}  // namespace
}  // namespace test

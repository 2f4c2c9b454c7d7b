// The emulated hard concrete gates and the CPU kernel against the definition, one element at a
// time.
#include <string>

#include "check.h"
#include "emu/block.h"
#include "sgnn/hard_concrete.h"
#include "values.h"

namespace test {
namespace {

struct Gate {
  double z;
  double slope;
};

Gate define(double logit, const int64_t* seed, int64_t k, double beta) {
  constexpr double kGamma = -0.1, kZeta = 1.1;
  double x = logit;
  if (seed != nullptr) {
    const double u = sgnn::gate_noise(static_cast<uint64_t>(*seed), k);
    x = (std::log(u) - std::log1p(-u) + logit) / beta;
  }
  const double s = 1 / (1 + std::exp(-x));
  const double z = s * (kZeta - kGamma) + kGamma;
  const double slope = (kZeta - kGamma) * s * (1 - s) / (seed != nullptr ? beta : 1);
  return {std::fmin(1, std::fmax(0, z)), z <= 0 || z >= 1 ? 0 : slope};
}

template <typename T>
void compare(int64_t count, const int64_t* seed) {
  const check::Context context(std::string(Type<T>::name) + " n=" + std::to_string(count));
  constexpr double kTolerance = sizeof(T) == 8 ? 1e-12 : 4e-6;
  Random random(static_cast<uint64_t>(count));
  Buffer<T> logits(count), grad(count), out(count);
  for (int64_t k = 0; k < count; ++k) {
    logits[k] = static_cast<T>(k % 50 == 7 ? 200 : k % 50 == 8 ? -200 : random.uniform(-4, 4));
    grad[k] = static_cast<T>(random.uniform(-1, 1));
  }
  sgnn::HardConcreteArgs args{Type<T>::dtype, count,   logits.data(), nullptr, out.data(),
                              seed,           2.0 / 3, -0.1,          1.1};
  for (const bool slope : {false, true}) {
    args.grad = slope ? grad.data() : nullptr;
    for (const bool cuda : {false, true}) {
      for (int64_t k = 0; k < count; ++k) out[k] = static_cast<T>(kNaN);
      if (cuda) {
        CHECK(sgnn::hard_concrete_cuda(args, nullptr) == nullptr);
      } else {
        const int64_t middle = count / 2 / sgnn::kGateBlock * sgnn::kGateBlock;
        sgnn::hard_concrete_cpu(args, 0, middle);
        sgnn::hard_concrete_cpu(args, middle, count);
      }
      for (int64_t k = 0; k < count; ++k) {
        const Gate gate = define(static_cast<double>(logits[k]), seed, k, args.beta);
        const double edge = std::fmin(gate.z, 1 - gate.z);
        if (slope && edge < 1e-4 && edge > 0) continue;  // the slope jumps at 0 and 1
        const double expected = slope ? gate.slope * static_cast<double>(grad[k]) : gate.z;
        CHECK(close(static_cast<double>(out[k]), expected, 4, kTolerance));
      }
    }
  }
}

SGNN_TEST(hard_concrete_gates_and_slopes) {
  const int64_t seeds[] = {5, -9};
  for (const int64_t count : {0, 1, 3, 4, 63, 64, 65, 1000}) {
    for (const int64_t* seed : {static_cast<const int64_t*>(nullptr), seeds, seeds + 1}) {
      compare<float>(count, seed);
      compare<double>(count, seed);
    }
  }
}

SGNN_TEST(uniform_numbers_lie_inside) {
  CHECK(sgnn::gate_uniform(0) > 0.0f);
  CHECK(sgnn::gate_uniform(0xffffffffu) < 1.0f);
}

}  // namespace
}  // namespace test

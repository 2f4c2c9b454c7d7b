// The emulated in-place mask update against the CPU kernel, whose result the Python tests compare
// with a sort.
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "sgnn/drop_and_grow.h"
#include "values.h"

namespace test {
namespace {

template <typename T>
struct Update {
  Update(int64_t size, double density, uint64_t seed)
      : mask(size, 1), weight(size), drop(size), grow(size), init(size), moment(size), steps(size) {
    Random random(seed);
    for (int64_t i = 0; i < size; ++i) {
      mask[i] = random.uniform(0, 1) < density ? 1 : 0;
      // Few distinct values, so that there are ties; some are NaN.
      const auto draw = [&] {
        const double value = std::round(random.uniform(-9, 9));
        return from_double<T>(value == 5 ? kNaN : value);
      };
      weight[i] = draw();
      drop[i] = draw();
      grow[i] = draw();
      init[i] = draw();
      moment[i] = 1.0 + static_cast<double>(i);
      steps[i] = 7;
    }
  }

  sgnn::DropAndGrowArgs args(int64_t k, int switches) {
    states = {moment.data(), steps.data()};
    bytes = {8, 1};
    sgnn::DropAndGrowArgs args;
    args.dtype = Type<T>::dtype;
    args.size = mask.size();
    args.mask = mask.data();
    args.weight = weight.data();
    args.drop_score = (switches & 1) != 0 ? drop.data() : nullptr;
    args.grow_score = grow.data();
    args.init = (switches & 2) != 0 ? init.data() : nullptr;
    args.magnitude = (switches & 4) != 0;
    args.regrow = (switches & 8) != 0;
    args.k = k;
    args.num_states = 2;
    args.states = states.data();
    args.state_bytes = bytes.data();
    return args;
  }

  bool operator==(const Update& other) const {
    return mask == other.mask && weight == other.weight && moment == other.moment &&
           steps == other.steps;
  }

  Buffer<uint8_t> mask;
  Buffer<T> weight, drop, grow, init;
  Buffer<double> moment;
  Buffer<uint8_t> steps;
  std::vector<void*> states;
  std::vector<int64_t> bytes;
};

template <typename T>
void compare(int64_t size, double density, int64_t k, int switches) {
  const check::Context context(std::string(Type<T>::name) + " n=" + std::to_string(size) +
                               " k=" + std::to_string(k) + " s=" + std::to_string(switches));
  Update<T> cpu(size, density, 11);
  Update<T> cuda(size, density, 11);
  std::vector<uint8_t> kept(static_cast<size_t>(size)), grown(static_cast<size_t>(size));
  sgnn::drop_and_grow_cpu(cpu.args(k, switches), kept.data(), grown.data(),
                          sgnn::serial_executor());
  const auto args = cuda.args(k, switches);
  Buffer<char> workspace(sgnn::drop_and_grow_workspace(args));
  CHECK(sgnn::drop_and_grow_cuda(args, workspace.data(), nullptr) == nullptr);
  CHECK(cpu == cuda);
}

SGNN_TEST(drop_and_grow_on_both_devices) {
  for (int switches = 0; switches < 16; ++switches) {
    for (const int64_t k : {0, 1, 90, 700}) {
      compare<float>(700, 0.3, k, switches);
      compare<BFloat16>(700, 0.3, k, switches);
    }
    compare<double>(5000, 0.6, 1200, switches);
    compare<Half>(4097, 0.1, 300, switches);
  }
}

SGNN_TEST(drop_and_grow_of_nothing) {
  for (int switches = 0; switches < 16; switches += 8) {
    compare<float>(0, 0.5, 0, switches);
    compare<float>(40, 0.0, 10, switches);
    compare<float>(40, 1.1, 10, switches);
  }
}

}  // namespace
}  // namespace test

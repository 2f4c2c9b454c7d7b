// A row of 70,000 edges beside empty and short ones.
#include <string>

#include "check.h"
#include "spmm_case.h"

namespace test {
namespace {

const SpmmMode kHubMode = {.name = "weighted mean of kept edges",
                           .weight = true,
                           .bits = true,
                           .edge_id = true,
                           .mean = true,
                           .poison = true};

template <typename T, typename Index>
void compare(int64_t width) {
  const check::Context context("F=" + std::to_string(width) + " " + Type<T>::name);
  SpmmCase<T, Index> problem(hub(), width, kHubMode);
  const Buffer<T> forward = problem.cuda();
  const std::string wrong =
      difference(forward, problem.expected, problem.magnitude, Type<T>::tolerance);
  CHECK_TEXT(wrong.empty(), wrong);
  const std::string apart =
      difference(forward, problem.cpu(), problem.magnitude, 2 * Type<T>::tolerance);
  CHECK_TEXT(apart.empty(), apart);
  emu::Block::instance().reverse = true;
  CHECK(forward == problem.cuda());
  emu::Block::instance().reverse = false;
}

SGNN_TEST(spmm_hub_row_is_correct_and_repeatable) {
  compare<float, int32_t>(1);
  compare<float, int64_t>(33);
  compare<double, int32_t>(16);
  compare<Half, int32_t>(8);
  compare<BFloat16, int64_t>(64);
}

}  // namespace
}  // namespace test

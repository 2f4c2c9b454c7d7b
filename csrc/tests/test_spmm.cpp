// The emulated SpMM against its definition in fp64 and against the CPU kernel.
#include <string>

#include "check.h"
#include "spmm_case.h"

namespace test {
namespace {

const SpmmMode kModes[] = {
    {.name = "none"},
    {.name = "weight", .weight = true},
    {.name = "weight+edge_id", .weight = true, .edge_id = true},
    {.name = "soft mask", .mask = true},
    {.name = "bits", .bits = true},
    {.name = "bits+edge_id+poison", .weight = true, .bits = true, .edge_id = true, .poison = true},
    {.name = "scales+poison", .bits = true, .row_scale = true, .col_scale = true, .poison = true},
    {.name = "mean", .mean = true},
    {.name = "mean of kept", .bits = true, .mean = true},
    {.name = "bias+relu", .bias = true, .relu = true},
    {.name = "aligned stride", .weight = true, .pad = 16},
    {.name = "odd stride", .weight = true, .pad = 3},
    {.name = "misaligned", .weight = true, .offset = 1},
    {.name = "all",
     .weight = true,
     .mask = true,
     .bits = true,
     .row_scale = true,
     .col_scale = true,
     .edge_id = true,
     .mean = true,
     .bias = true,
     .relu = true,
     .poison = true,
     .pad = 8},
};

template <typename T, typename Index>
void compare(const Graph& graph, int64_t width, const SpmmMode& mode) {
  const check::Context context(graph.name + " F=" + std::to_string(width) + " " + Type<T>::name +
                               " int" + std::to_string(8 * sizeof(Index)) + " " + mode.name);
  SpmmCase<T, Index> problem(graph, width, mode);
  const double tolerance = Type<T>::tolerance;
  const Buffer<T> cuda = problem.cuda();
  CHECK(cuda.size() == problem.expected.size());
  const std::string wrong = difference(cuda, problem.expected, problem.magnitude, tolerance);
  CHECK_TEXT(wrong.empty(), "against fp64: " + wrong);
  const std::string apart = difference(cuda, problem.cpu(), problem.magnitude, 2 * tolerance);
  CHECK_TEXT(apart.empty(), "against the CPU kernel: " + apart);
}

SGNN_TEST(spmm_modes_and_graphs) {
  for (const Graph& graph : small_graphs()) {
    for (const SpmmMode& mode : kModes) {
      for_each_type([&](auto value, auto index) {
        compare<decltype(value), decltype(index)>(graph, 32, mode);
      });
    }
  }
}

SGNN_TEST(spmm_widths) {
  const Graph graph = mixed();
  for (const int64_t width : {1, 3, 7, 8, 31, 33, 128, 257}) {
    for_each_type([&](auto value, auto index) {
      using T = decltype(value);
      using Index = decltype(index);
      compare<T, Index>(graph, width, kModes[sizeof(T) == 8 ? 1 : 5]);
    });
    for (const SpmmMode& mode : kModes) compare<float, int32_t>(graph, width, mode);
  }
}

SGNN_TEST(spmm_does_not_depend_on_the_schedule) {
  const Graph graph = mixed();
  for (const int64_t width : {16, 31, 200}) {
    for (const SpmmMode& mode : kModes) {
      SpmmCase<float, int32_t> problem(graph, width, mode);
      const Buffer<float> forward = problem.cuda();
      emu::Block::instance().reverse = true;
      const Buffer<float> backward = problem.cuda();
      emu::Block::instance().reverse = false;
      CHECK_TEXT(forward == backward, mode.name);
    }
  }
}

SGNN_TEST(spmm_keeps_infinities_of_kept_edges) {
  const Graph graph{"two edges", 1, 2, {0, 2}, {0, 1}};
  const float x[] = {HUGE_VALF, 1, -HUGE_VALF, NAN, 2, 3, 4, 5};
  float y[4];
  const Csr<int32_t> csr(graph, false);
  sgnn::SpmmArgs args;
  args.csr = csr.arg;
  args.width = 4;
  args.x = x;
  args.x_stride = 4;
  args.y = y;
  CHECK(sgnn::spmm_cuda(args, nullptr) == nullptr);
  CHECK(y[0] == HUGE_VALF);
  CHECK(y[1] == 4.0f);
  CHECK(y[2] == -HUGE_VALF);
  CHECK(std::isnan(y[3]));
}

}  // namespace
}  // namespace test

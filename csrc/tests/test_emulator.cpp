// The emulator itself: collectives, barriers, poisoned shared memory, and clear errors for kernels
// whose threads cannot all finish.
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "device/block_scan.cuh"

namespace test {
namespace {

using sgnn::kFullWarp;

std::string launch_error(void (*kernel)(), unsigned threads) {
  try {
    SGNN_LAUNCH(kernel, dim3(1), dim3(threads), 0, nullptr);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

bool mentions(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

void shuffle_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(kFullWarp, lane * 10, 5);
  out[32 + lane] = __shfl_xor_sync(kFullWarp, lane, 1);
  out[64 + lane] = __shfl_up_sync(kFullWarp, lane, 2);
  out[96 + lane] = static_cast<int>(__ballot_sync(kFullWarp, lane < 3));
  out[128 + lane] = __shfl_sync(kFullWarp, lane, 1, 8);
  const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  out[160 + lane] = lane < 16 ? __any_sync(half, lane == 3) : __all_sync(half, lane > 16);
}

SGNN_TEST(collectives_match_their_definition) {
  std::vector<int> out(192, -1);
  SGNN_LAUNCH(shuffle_kernel, dim3(1), dim3(32), 0, nullptr, out.data());
  for (int lane = 0; lane < 32; ++lane) {
    CHECK(out[lane] == 50);
    CHECK(out[32 + lane] == (lane ^ 1));
    CHECK(out[64 + lane] == (lane < 2 ? lane : lane - 2));
    CHECK(out[96 + lane] == 7);
    CHECK(out[128 + lane] == lane / 8 * 8 + 1);
    CHECK(out[160 + lane] == (lane < 16 ? 1 : 0));
  }
}

void scan_kernel(int64_t* out, int64_t* totals) {
  for (int round = 0; round < 3; ++round) {
    int64_t total;
    out[threadIdx.x] =
        sgnn::block_exclusive_sum<96>(static_cast<int64_t>(threadIdx.x) + round, &total);
    totals[round] = total;
  }
}

SGNN_TEST(block_scan_is_exclusive_and_repeatable) {
  for (const bool reverse : {false, true}) {
    emu::Block::instance().reverse = reverse;
    std::vector<int64_t> out(96, -1);
    std::vector<int64_t> totals(3, -1);
    SGNN_LAUNCH(scan_kernel, dim3(1), dim3(96), 0, nullptr, out.data(), totals.data());
    for (int64_t i = 0; i < 96; ++i) CHECK(out[i] == i * (i - 1) / 2 + 2 * i);
    for (int64_t round = 0; round < 3; ++round) CHECK(totals[round] == 95 * 48 + 96 * round);
  }
  emu::Block::instance().reverse = false;
}

void shared_kernel(unsigned* out) {
  SGNN_SHARED(unsigned, memory, 4);
  if (threadIdx.x == 0) {
    out[blockIdx.x] = memory[3];
    memory[3] = 1;
  }
}

SGNN_TEST(shared_memory_is_poisoned_for_every_block) {
  unsigned out[2] = {0, 0};
  SGNN_LAUNCH(shared_kernel, dim3(2), dim3(32), 0, nullptr, out);
  CHECK(out[0] == 0xffffffffu);
  CHECK(out[1] == 0xffffffffu);
}

SGNN_TEST(a_barrier_that_some_threads_miss_is_an_error) {
  const std::string error = launch_error(
      [] {
        if (threadIdx.x < 40) __syncthreads();
      },
      64);
  CHECK_TEXT(mentions(error, "missing or divergent barrier"), error);
  CHECK_TEXT(mentions(error, "__syncthreads") && mentions(error, "has finished"), error);
}

SGNN_TEST(a_shuffle_that_some_lanes_miss_is_an_error) {
  const std::string error = launch_error(
      [] {
        if (threadIdx.x != 7) __shfl_sync(kFullWarp, 1, 0);
      },
      32);
  CHECK_TEXT(mentions(error, "missing or divergent barrier"), error);
}

SGNN_TEST(barriers_at_different_places_do_not_meet) {
  const std::string error = launch_error(
      [] {
        if (threadIdx.x < 8) {
          __syncthreads();
        } else {
          __syncthreads();
        }
      },
      32);
  CHECK_TEXT(mentions(error, "divergent barrier"), error);
}

SGNN_TEST(a_lane_outside_its_mask_or_source_is_an_error) {
  CHECK(mentions(launch_error([] { __syncwarp(0xfffffffeu); }, 32), "not in its mask"));
  CHECK(mentions(launch_error(
                     [] {
                       if (threadIdx.x < 4) __shfl_sync(0xfu, 1, 9);
                     },
                     32),
                 "takes no part"));
}

SGNN_TEST(kernels_run_again_after_an_error) {
  launch_error(
      [] {
        if (threadIdx.x == 0) __syncthreads();
      },
      64);
  CHECK(launch_error([] { __syncthreads(); }, 64).empty());
}

SGNN_TEST(an_impossible_launch_sets_the_last_error) {
  const auto kernel = [] {};
  SGNN_LAUNCH(kernel, dim3(0), dim3(32), 0, nullptr);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  SGNN_LAUNCH(kernel, dim3(1, 65536), dim3(32), 0, nullptr);
  CHECK(sgnn::launch_status() != nullptr);
  SGNN_LAUNCH(kernel, dim3(1), dim3(1025), 0, nullptr);
  CHECK(sgnn::launch_status() != nullptr);
  CHECK(sgnn::launch_status() == nullptr);
}

int order_seen = 0;

SGNN_TEST(thread_order_reverses_on_demand) {
  const auto kernel = [] { order_seen = static_cast<int>(threadIdx.x); };
  SGNN_LAUNCH(kernel, dim3(1), dim3(32), 0, nullptr);
  CHECK(order_seen == 31);
  emu::Block::instance().reverse = true;
  SGNN_LAUNCH(kernel, dim3(1), dim3(32), 0, nullptr);
  emu::Block::instance().reverse = false;
  CHECK(order_seen == 0);
}

}  // namespace
}  // namespace test

// Host unit tests of code that host and device share.
#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"
#include "device/row_search.cuh"
#include "graphs.h"
#include "sgnn/bitmask.h"
#include "sgnn/ordered_key.h"
#include "sgnn/partition.h"
#include "sgnn/random.h"
#include "values.h"

namespace test {
namespace {

SGNN_TEST(philox_gives_the_published_words) {
  // The known answers that come with the paper's reference implementation.
  struct Known {
    uint64_t seed, low, high;
    uint32_t word[4];
  };
  const Known known[] = {
      {0, 0, 0, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
      {~0ull, ~0ull, ~0ull, {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
      {0x299f31d0a4093822ull,
       0x85a308d3243f6a88ull,
       0x0370734413198a2eull,
       {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}},
  };
  for (const Known& k : known) {
    const sgnn::Philox4 words = sgnn::philox(k.seed, k.low, k.high);
    for (int i = 0; i < 4; ++i) CHECK(words.word[i] == k.word[i]);
  }
}

SGNN_TEST(dropout_keeps_the_share_it_is_asked_for) {
  for (const double p : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const uint32_t threshold = sgnn::dropout_threshold(p);
    int64_t kept = 0;
    constexpr int64_t kCount = 100000;
    for (int64_t i = 0; i < kCount; ++i) kept += sgnn::dropout_keeps(7, i, threshold) ? 1 : 0;
    CHECK(std::abs(static_cast<double>(kept) / kCount - (1.0 - p)) < 0.01);
    if (p == 0.0) CHECK(kept == kCount);
    if (p == 1.0) CHECK(kept == 0);
  }
}

SGNN_TEST(partition_tiles_the_rows_in_equal_shares) {
  for (const Graph& graph : small_graphs()) {
    for (const int64_t parts : {1, 2, 3, 7, 64}) {
      const check::Context context(graph.name + " parts=" + std::to_string(parts));
      const auto row = [&](int64_t part) {
        return sgnn::partition_row(graph.rowptr.data(), graph.num_rows, parts, part);
      };
      CHECK(row(0) == 0);
      CHECK(row(parts) == graph.num_rows);
      int64_t longest = 1;
      for (int64_t i = 0; i < graph.num_rows; ++i) {
        longest = std::max(longest, graph.rowptr[i + 1] - graph.rowptr[i] + 1);
      }
      const int64_t share = (graph.nnz() + graph.num_rows) / parts + 1;
      for (int64_t part = 0; part < parts; ++part) {
        const int64_t begin = row(part);
        const int64_t end = row(part + 1);
        CHECK(begin <= end);
        const int64_t work = graph.rowptr[end] + end - graph.rowptr[begin] - begin;
        CHECK(work <= share + longest);
      }
    }
  }
}

SGNN_TEST(row_of_finds_the_row_of_every_position) {
  for (const Graph& graph : small_graphs()) {
    const check::Context context(graph.name);
    for (int64_t row = 0; row < graph.num_rows; ++row) {
      for (int64_t e = graph.rowptr[row]; e < graph.rowptr[row + 1]; ++e) {
        CHECK(sgnn::row_of(graph.rowptr.data(), 0, graph.num_rows, e) == row);
        CHECK(sgnn::row_of(graph.rowptr.data(), row, row + 1, e) == row);
      }
    }
  }
}

SGNN_TEST(bits_are_little_endian_within_a_byte) {
  const uint8_t bits[] = {0b00000101, 0b10000000};
  for (int64_t i = 0; i < 16; ++i) {
    CHECK(sgnn::test_bit(bits, i) == (i == 0 || i == 2 || i == 15));
  }
  CHECK(sgnn::packed_bytes(0) == 0);
  CHECK(sgnn::packed_bytes(1) == 1);
  CHECK(sgnn::packed_bytes(8) == 1);
  CHECK(sgnn::packed_bytes(9) == 2);
}

template <typename T>
void check_widening() {
  bool exact = true;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const T value{static_cast<uint16_t>(bits)};
    const double wanted = to_double(value);
    const float got = sgnn::to_acc(value);
    const bool same = std::isnan(wanted) ? std::isnan(got)
                                         : static_cast<double>(got) == wanted &&
                                               std::signbit(got) == std::signbit(wanted);
    exact = exact && same;
  }
  CHECK(exact);
}

SGNN_TEST(every_16_bit_value_widens_exactly) {
  check_widening<Half>();
  check_widening<BFloat16>();
}

// Rounds to storage around every representable value and every midpoint between neighbours.
template <typename T>
void check_narrowing(unsigned infinity, double past_last) {
  const auto narrow = [](float value) { return sgnn::from_acc<T>(value).bits; };
  bool exact = true;
  for (unsigned bits = 0; bits < infinity; ++bits) {
    const double here = to_double(T{static_cast<uint16_t>(bits)});
    const double next =
        bits + 1 == infinity ? past_last : to_double(T{static_cast<uint16_t>(bits + 1)});
    const auto middle = static_cast<float>((here + next) / 2);
    const unsigned even = bits % 2 == 0 ? bits : bits + 1;
    exact = exact && narrow(static_cast<float>(here)) == bits && narrow(middle) == even;
    exact = exact && narrow(std::nextafter(middle, 0.0f)) == bits;
    exact = exact && narrow(std::nextafter(middle, HUGE_VALF)) == bits + 1;
    exact = exact && narrow(-middle) == (even | 0x8000u);
  }
  CHECK(exact);
  CHECK(narrow(HUGE_VALF) == infinity);
  CHECK(narrow(-HUGE_VALF) == (infinity | 0x8000u));
  CHECK(narrow(std::numeric_limits<float>::max()) == infinity);
  CHECK(std::isnan(to_double(sgnn::from_acc<T>(NAN))));
}

SGNN_TEST(narrowing_rounds_to_nearest_even) {
  check_narrowing<Half>(0x7c00u, 65536.0);
  check_narrowing<BFloat16>(0x7f80u, std::ldexp(1.0, 128));
}

template <typename T>
void check_key_order(const std::vector<T>& values) {
  for (const T a : values) {
    for (const T b : values) {
      const double x = to_double(a);
      const double y = to_double(b);
      const auto key_a = sgnn::ordered_key(a);
      const auto key_b = sgnn::ordered_key(b);
      const bool less = std::isnan(x) ? !std::isnan(y) : x < y;
      CHECK((key_a < key_b) == less);
      const bool equal = x == y || (std::isnan(x) && std::isnan(y));
      CHECK((key_a == key_b) == equal);
    }
  }
}

template <typename T>
std::vector<T> key_samples() {
  std::vector<T> values;
  const double samples[] = {kNaN, -kNaN, kInf,  -kInf,  0.0,   -0.0,   1.0,  -1.0,
                            1.5,  -1.5,  1e-38, -1e-38, 1e-44, -1e-44, 6e-8, -6e-8,
                            3e4,  -3e4,  1e38,  -1e38,  0.1,   -0.1};
  for (const double sample : samples) values.push_back(from_double<T>(sample));
  return values;
}

SGNN_TEST(keys_order_like_values_with_nan_last) {
  check_key_order(key_samples<float>());
  check_key_order(key_samples<double>());
  check_key_order(key_samples<Half>());
  check_key_order(key_samples<BFloat16>());
}

}  // namespace
}  // namespace test

// The emulated row selection against a stable sort and against the CPU kernel.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "sgnn/topk_rows.h"
#include "values.h"

namespace test {
namespace {

// The contract, by sorting: larger first, equal values by column, NaN last; then by column.
std::vector<int64_t> sorted_columns(const std::vector<double>& row, int64_t k, bool magnitude) {
  const auto score = [&](size_t i) { return magnitude ? std::fabs(row[i]) : row[i]; };
  std::vector<size_t> order(row.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (std::isnan(row[a]) || std::isnan(row[b])) return !std::isnan(row[a]) && std::isnan(row[b]);
    return score(a) > score(b);
  });
  std::vector<int64_t> columns(order.begin(), order.begin() + k);
  std::sort(columns.begin(), columns.end());
  return columns;
}

template <typename T, typename Id>
class Selection {
 public:
  Selection(int64_t rows, int64_t width, int64_t stride, uint64_t seed)
      : x_(rows == 0 ? 0 : (rows - 1) * stride + width, 1) {
    args_.dtype = Type<T>::dtype;
    args_.num_rows = rows;
    args_.width = width;
    args_.x_stride = stride;
    args_.x = x_.data();
    Random random(seed);
    const double special[] = {0.0, -0.0, kNaN, kInf, -kInf, 0.5, -0.5, 0.5};
    for (int64_t i = 0; i < x_.size(); ++i) {
      const bool plain = random.below(3) > 0;
      x_[i] = from_double<T>(plain ? random.uniform(-2, 2) : special[random.below(8)]);
    }
  }

  void compare(int64_t k, bool magnitude) {
    args_.k = k;
    args_.magnitude = magnitude;
    const int64_t size = args_.num_rows * k;
    Buffer<T> values(size, 1), cpu_values(size);
    Buffer<Id> ids(size, 1), cpu_ids(size);
    CHECK(sgnn::topk_rows_cuda(with(values, ids), nullptr) == nullptr);
    sgnn::topk_rows_cpu(with(cpu_values, cpu_ids), 0, k == 0 ? 0 : args_.num_rows);
    CHECK(values == cpu_values);
    CHECK(ids == cpu_ids);
    for (int64_t row = 0; row < args_.num_rows; ++row) check_row(row, values, ids);
  }

 private:
  sgnn::TopkRowsArgs with(Buffer<T>& values, Buffer<Id>& ids) const {
    sgnn::TopkRowsArgs args = args_;
    args.values = values.data();
    args.ids = ids.data();
    return args;
  }

  void check_row(int64_t row, const Buffer<T>& values, const Buffer<Id>& ids) const {
    std::vector<double> x;
    const T* stored = x_.data() + row * args_.x_stride;
    for (int64_t f = 0; f < args_.width; ++f) x.push_back(to_double(stored[f]));
    const auto columns = sorted_columns(x, args_.k, args_.magnitude);
    for (int64_t t = 0; t < args_.k; ++t) {
      const int64_t at = row * args_.k + t;
      CHECK(static_cast<int64_t>(ids[at]) == columns[static_cast<size_t>(t)]);
      CHECK(memcmp(&values[at], &stored[columns[static_cast<size_t>(t)]], sizeof(T)) == 0);
    }
  }

  Buffer<T> x_;
  sgnn::TopkRowsArgs args_;
};

template <typename Id>
void compare_all(int64_t rows, int64_t width, const std::vector<int64_t>& ks) {
  const auto run = [&](auto value) {
    using T = decltype(value);
    const check::Context context(std::string(Type<T>::name) + " F=" + std::to_string(width));
    Selection<T, Id> selection(rows, width, width + 3, static_cast<uint64_t>(width));
    for (const int64_t k : ks) {
      selection.compare(k, false);
      selection.compare(k, true);
    }
  };
  run(float{});
  run(double{});
  run(Half{});
  run(BFloat16{});
}

SGNN_TEST(topk_rows_in_registers) {
  compare_all<uint8_t>(0, 8, {0, 3});
  compare_all<uint8_t>(3, 1, {0, 1});
  compare_all<uint8_t>(9, 31, {1, 16, 30, 31});
  compare_all<uint8_t>(5, 33, {1, 8, 33});
  compare_all<uint8_t>(6, 256, {1, 32, 128, 255, 256});
  compare_all<int16_t>(5, 257, {1, 32, 257});
  compare_all<int16_t>(2, 1024, {7, 64});
}

SGNN_TEST(topk_rows_from_memory) {
  compare_all<int16_t>(2, 1025, {1, 64, 1025});
  compare_all<int32_t>(1, 32769, {9});
}

}  // namespace
}  // namespace test

// The emulated top-k selection against a stable sort and against the CPU kernel.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "check.h"
#include "emu/block.h"
#include "sgnn/topk_mask.h"
#include "values.h"

namespace test {
namespace {

using Scores = std::vector<std::vector<double>>;

// The contract, by sorting: larger first, equal values by position, NaN last.
std::vector<uint8_t> sorted_mask(const std::vector<double>& flat, int64_t k) {
  std::vector<size_t> order(flat.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (std::isnan(flat[a]) || std::isnan(flat[b]))
      return !std::isnan(flat[a]) && std::isnan(flat[b]);
    return flat[a] > flat[b];
  });
  std::vector<uint8_t> mask(flat.size(), 0);
  for (int64_t i = 0; i < k; ++i) mask[order[static_cast<size_t>(i)]] = 1;
  return mask;
}

template <typename T>
struct Selection {
  explicit Selection(const Scores& scores) {
    for (const auto& tensor : scores) {
      const auto size = static_cast<int64_t>(tensor.size());
      inputs.emplace_back(size, size % 2);
      for (int64_t i = 0; i < size; ++i) {
        inputs.back()[i] = from_double<T>(tensor[static_cast<size_t>(i)]);
        flat.push_back(to_double(inputs.back()[i]));
      }
      sizes.push_back(size);
    }
  }

  template <typename Select>
  std::vector<uint8_t> run(int64_t k, Select&& select) {
    std::vector<Buffer<uint8_t>> keep;
    std::vector<const void*> input_pointers;
    std::vector<uint8_t*> keep_pointers;
    for (size_t t = 0; t < sizes.size(); ++t) {
      keep.emplace_back(sizes[t], 3);
      input_pointers.push_back(inputs[t].data());
      keep_pointers.push_back(keep.back().data());
    }
    sgnn::TopkMaskArgs args;
    args.dtype = Type<T>::dtype;
    args.num_tensors = static_cast<int64_t>(sizes.size());
    args.scores = input_pointers.data();
    args.keep = keep_pointers.data();
    args.sizes = sizes.data();
    args.k = &k;
    select(args);
    std::vector<uint8_t> mask;
    for (size_t t = 0; t < sizes.size(); ++t) {
      mask.insert(mask.end(), keep_pointers[t], keep_pointers[t] + sizes[t]);
    }
    return mask;
  }

  std::vector<Buffer<T>> inputs;
  std::vector<int64_t> sizes;
  std::vector<double> flat;  // as stored
};

void select_on_cuda(const sgnn::TopkMaskArgs& args) {
  Buffer<char> workspace(sgnn::topk_mask_workspace(args));
  CHECK(sgnn::topk_mask_cuda(args, workspace.data(), nullptr) == nullptr);
}

template <typename T>
void compare(const Scores& scores, int64_t k) {
  const check::Context context(std::string(Type<T>::name) + " k=" + std::to_string(k));
  Selection<T> selection(scores);
  const auto expected = sorted_mask(selection.flat, k);
  const auto cuda = selection.run(k, select_on_cuda);
  CHECK(std::accumulate(cuda.begin(), cuda.end(), int64_t{0}) == k);
  CHECK(cuda == expected);
  CHECK(cuda == selection.run(k, [](const auto& args) {
    sgnn::topk_mask_cpu(args, sgnn::serial_executor());
  }));
  emu::Block::instance().reverse = true;
  CHECK(cuda == selection.run(k, select_on_cuda));
  emu::Block::instance().reverse = false;
}

void compare_all(const Scores& scores, const std::vector<int64_t>& ks) {
  for (const int64_t k : ks) {
    compare<float>(scores, k);
    compare<double>(scores, k);
    compare<Half>(scores, k);
    compare<BFloat16>(scores, k);
  }
}

std::vector<double> draw_scores(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(random.uniform(-3, 3));
  return values;
}

SGNN_TEST(topk_of_random_scores) {
  compare_all({draw_scores(1, 1)}, {0, 1});
  compare_all({draw_scores(300, 2)}, {0, 1, 37, 299, 300});
  compare_all({draw_scores(20000, 3)}, {1, 5000, 19999});
}

SGNN_TEST(topk_over_several_tensors) {
  const Scores scores = {draw_scores(5, 1),    {}, draw_scores(4100, 2), draw_scores(1, 3),
                         draw_scores(9000, 4), {}};
  compare_all(scores, {0, 1, 6, 4096, 13106});
  compare_all({}, {0});
  compare_all({{}, {}}, {0});
}

SGNN_TEST(topk_ties_go_to_the_lowest_position) {
  const Scores scores = {std::vector<double>(3000, 0.5), std::vector<double>(7000, 0.5)};
  compare_all(scores, {0, 1, 2999, 3001, 4096, 5000, 9999, 10000});
  Scores mixed = {draw_scores(6000, 9), std::vector<double>(6000, 0.25)};
  for (size_t i = 0; i < 6000; i += 3) mixed[0][i] = 0.25;
  compare_all(mixed, {2750, 4000, 6000, 11000});
}

SGNN_TEST(topk_of_each_tensor) {
  const std::vector<int64_t> sizes = {0, 1, 4097, 300};
  const std::vector<int64_t> k = {0, 1, 1000, 0};
  std::vector<Buffer<float>> scores;
  std::vector<Buffer<uint8_t>> cpu, cuda;
  std::vector<const void*> score_data;
  std::vector<uint8_t*> cpu_data, cuda_data;
  for (size_t t = 0; t < sizes.size(); ++t) {
    const auto drawn = draw_scores(sizes[t], t);
    scores.emplace_back(sizes[t]);
    for (int64_t i = 0; i < sizes[t]; ++i) scores[t][i] = from_double<float>(drawn[i]);
    cpu.emplace_back(sizes[t]);
    cuda.emplace_back(sizes[t]);
    score_data.push_back(scores[t].data());
    cpu_data.push_back(cpu[t].data());
    cuda_data.push_back(cuda[t].data());
  }
  sgnn::TopkMaskArgs args{DType::kFloat32, 4, score_data.data(), cpu_data.data(), sizes.data()};
  args.per_tensor = true;
  args.k = k.data();
  sgnn::topk_mask_cpu(args, sgnn::serial_executor());
  args.keep = cuda_data.data();
  select_on_cuda(args);
  for (size_t t = 0; t < sizes.size(); ++t) {
    int64_t kept = 0;
    for (int64_t i = 0; i < sizes[t]; ++i) kept += cpu[t][i];
    CHECK(kept == k[t]);
    CHECK(cpu[t] == cuda[t]);
  }
}

SGNN_TEST(topk_zeros_are_equal_and_nan_is_last) {
  const Scores scores = {{0.0, -0.0, kNaN, -kInf, -0.0, 0.0}, {kInf, kNaN, -1.0, 0.0, 1e-30}};
  std::vector<int64_t> ks(12);
  std::iota(ks.begin(), ks.end(), int64_t{0});
  compare_all(scores, ks);
  compare_all({std::vector<double>(50, kNaN)}, {0, 7, 50});
}

}  // namespace
}  // namespace test

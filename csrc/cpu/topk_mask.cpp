// Exact top-k by radix select on ordered keys: one histogram pass over every score, then passes
// over the candidates of one bucket only, then one pass that writes the masks.
#include "sgnn/topk_mask.h"

#include <algorithm>
#include <vector>

#include "sgnn/dispatch.h"
#include "sgnn/ordered_key.h"

namespace sgnn {
namespace {

constexpr int kDigitBits = 11;
constexpr int kBuckets = 1 << kDigitBits;

template <typename Key>
int digit_of(Key key, int shift) {
  return static_cast<int>((key >> shift) & static_cast<Key>(kBuckets - 1));
}

// The bucket that holds the k-th largest key; *k becomes its rank among that bucket's keys.
int select_bucket(const int64_t* histogram, int64_t* k) {
  for (int bucket = kBuckets - 1; bucket > 0; --bucket) {
    if (*k <= histogram[bucket]) return bucket;
    *k -= histogram[bucket];
  }
  return 0;
}

// The k-th largest key, 1 <= k, and in *ties how many keys equal to it belong to the k largest.
template <typename T>
ordered_key_t<T> kth_largest(const TopkMaskArgs& args, int64_t k, int64_t* ties) {
  using Key = ordered_key_t<T>;
  int shift = static_cast<int>(sizeof(Key)) * 8 - kDigitBits;
  // Four histograms break the store-to-load chain of equal digits in a row.
  std::vector<int64_t> histogram(4 * kBuckets, 0);
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const T* scores = static_cast<const T*>(args.scores[t]);
    for (int64_t i = 0; i < args.sizes[t]; ++i) {
      ++histogram[static_cast<size_t>((i & 3) * kBuckets +
                                      digit_of(ordered_key(scores[i]), shift))];
    }
  }
  for (int b = 0; b < kBuckets; ++b) {
    for (int copy = 1; copy < 4; ++copy) histogram[b] += histogram[copy * kBuckets + b];
  }
  const int bucket = select_bucket(histogram.data(), &k);
  std::vector<Key> candidates;
  candidates.reserve(static_cast<size_t>(histogram[bucket]));
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const T* scores = static_cast<const T*>(args.scores[t]);
    for (int64_t i = 0; i < args.sizes[t]; ++i) {
      const Key key = ordered_key(scores[i]);
      if (digit_of(key, shift) == bucket) candidates.push_back(key);
    }
  }
  const auto nth = candidates.begin() + (k - 1);
  std::nth_element(candidates.begin(), nth, candidates.end(), std::greater<Key>());
  const Key threshold = *nth;
  const auto above =
      std::count_if(candidates.begin(), candidates.end(), [&](Key key) { return key > threshold; });
  *ties = k - static_cast<int64_t>(above);
  return threshold;
}

template <typename T>
void write_masks(const TopkMaskArgs& args, ordered_key_t<T> threshold, int64_t ties) {
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const T* scores = static_cast<const T*>(args.scores[t]);
    uint8_t* keep = args.keep[t];
    for (int64_t i = 0; i < args.sizes[t]; ++i) {
      const auto key = ordered_key(scores[i]);
      const bool tie = key == threshold && ties > 0;
      ties -= tie ? 1 : 0;
      keep[i] = key > threshold || tie ? 1 : 0;
    }
  }
}

template <typename T>
void run(const TopkMaskArgs& args) {
  if (args.k == 0) {
    for (int64_t t = 0; t < args.num_tensors; ++t) {
      std::fill_n(args.keep[t], args.sizes[t], uint8_t{0});
    }
    return;
  }
  int64_t ties = 0;
  const auto threshold = kth_largest<T>(args, args.k, &ties);
  write_masks<T>(args, threshold, ties);
}

}  // namespace

void topk_mask_cpu(const TopkMaskArgs& args) {
  dispatch_dtype(args.dtype, [&](auto type) { run<typename decltype(type)::type>(args); });
}

}  // namespace sgnn

// A range of keys that holds the one looked for, and histograms that narrow it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sgnn::cpu {

// The key looked for is the rank-th largest of those inside [low, high], 1 <= rank.
struct KeyRange {
  uint64_t low = 0;
  uint64_t high = 0;
  int64_t rank = 0;

  bool contains(uint64_t key) const { return low <= key && key <= high; }
};

// Counts the keys of a range in equal buckets.
class KeyHistogram {
 public:
  static constexpr int kBuckets = 2048;

  explicit KeyHistogram(const KeyRange& range) : range_(range), counts_(kBuckets, 0) {
    while ((range.high - range.low) >> shift_ >= kBuckets) ++shift_;
  }

  void add(uint64_t key) {
    if (range_.contains(key)) ++counts_[(key - range_.low) >> shift_];
  }
  void add(const KeyHistogram& other) {
    for (int bucket = 0; bucket < kBuckets; ++bucket) counts_[bucket] += other.counts_[bucket];
  }

  // The bucket that holds the key looked for.
  KeyRange narrowed() const {
    int64_t rank = range_.rank;
    int bucket = kBuckets - 1;
    for (; bucket > 0 && rank > counts_[bucket]; --bucket) rank -= counts_[bucket];
    const uint64_t low = range_.low + (static_cast<uint64_t>(bucket) << shift_);
    const uint64_t last = low + ((uint64_t{1} << shift_) - 1);
    return {low, std::min(last, range_.high), rank};
  }

 private:
  KeyRange range_;
  int shift_ = 0;
  std::vector<int64_t> counts_;
};

// The rank-th largest of `keys`, which it reorders; 1 <= rank <= keys.size().
inline uint64_t rank_largest(std::vector<uint64_t>& keys, int64_t rank) {
  const auto nth = keys.begin() + (rank - 1);
  std::nth_element(keys.begin(), nth, keys.end(), std::greater<uint64_t>());
  return *nth;
}

}  // namespace sgnn::cpu
